-- Answers of servers name the mail, the address and the moment: without those the same cause reads the same.
with said as (
    select
        *,
        coalesce(reason, smtp_response, provider_event, '(none given)') as words
    from {{ ref('fct_email_events') }}
    where event_type in ('bounced', 'deferred', 'rejected', 'failed')
),

cleaned as (
    select
        *,
        {{ emaillogs.cleaned_reason('words') }} as cause
    from said
)

select
    {{ emaillogs.utc_day('event_at') }} as day,
    provider,
    account,
    sender_domain,
    recipient_domain,
    event_type,
    bounce_class,
    reject_reason,
    smtp_enhanced_code,
    cause as reason,
    count(*) as events,
    count(distinct message_key) as messages,
    min(event_at) as first_at,
    max(event_at) as last_at
from cleaned
group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
