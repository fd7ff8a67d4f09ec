-- A mail belongs to the day on which it was queued, as in agg_deliverability_daily: so that mails add up over days and domains.
select
    day,
    provider,
    account,
    sender_domain,
    recipient_domain,
    event_type,
    bounce_class,
    reject_reason,
    smtp_enhanced_code,
    reason,
    sum(events) as events,
    count(*) as messages,
    min(first_at) as first_at,
    max(last_at) as last_at
from {{ ref('message_reasons') }}
group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
