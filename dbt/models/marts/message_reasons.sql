-- A mail and a cause: each mail counts once for what was said of it, however often and on how many days it was said.
-- Answers of servers name the mail, the address and the moment: without those the same cause reads the same.
with counted as (
    select
        message_key,
        event_type,
        bounce_class,
        reject_reason,
        smtp_enhanced_code,
        {{ emaillogs.cleaned_reason("coalesce(reason, smtp_response, provider_event, '(none given)')") }} as reason,
        count(*) as events,
        min(event_at) as first_at,
        max(event_at) as last_at
    from {{ ref('fct_email_events') }}
    where event_type in ('bounced', 'deferred', 'rejected', 'failed')
    group by 1, 2, 3, 4, 5, 6
)

select
    counted.message_key,
    mails.day,
    mails.provider,
    mails.account,
    mails.sender_domain,
    mails.recipient_domain,
    counted.event_type,
    counted.bounce_class,
    counted.reject_reason,
    counted.smtp_enhanced_code,
    counted.reason,
    counted.events,
    counted.first_at,
    counted.last_at
from counted
inner join {{ ref('dim_messages') }} as mails on counted.message_key = mails.message_key
