{%- set moments = {
    'queued': "event_type = 'queued'",
    'sent': "event_type = 'sent'",
    'delivered': "event_type = 'delivered'",
    'deferred': "event_type = 'deferred'",
    'bounced': "event_type = 'bounced'",
    'bounced_hard': "event_type = 'bounced' and bounce_class = 'hard'",
    'bounced_soft': "event_type = 'bounced' and bounce_class = 'soft'",
    'bounced_undetermined': "event_type = 'bounced' and coalesce(bounce_class, '') not in ('hard', 'soft')",
    'rejected': "event_type = 'rejected'",
    'failed': "event_type = 'failed'",
    'complained': "event_type = 'complained'",
    'unsubscribed': "event_type = 'unsubscribed'",
    'opened': "event_type = 'opened'",
    'opened_by_person': "event_type = 'opened' and not is_machine",
    'clicked': "event_type = 'clicked'",
    'clicked_by_person': "event_type = 'clicked' and not is_machine",
} -%}

with ranked as (
    select
        *,
        row_number() over (
            partition by message_key
            order by
                event_at desc nulls last,
                case event_type
                    when 'queued' then 0 when 'sent' then 1 when 'deferred' then 2 when 'delivered' then 3 else 4
                end desc,
                event_id
        ) as place_from_last
    from {{ ref('fct_email_events') }}
),

messages as (
    select
        message_key,
        min(provider) as provider,
        min(account) as account,
        min(message_id) as message_id,
        min(recipient) as recipient,
        min(recipient_domain) as recipient_domain,
        min(sender) as sender,
        min(sender_domain) as sender_domain,
        min(campaign) as campaign,
        min(subject) as subject,
        min(event_at) as first_event_at,
        max(event_at) as last_event_at,
        min(case when place_from_last = 1 then event_type end) as last_status,
        {%- for name, condition in moments.items() %}
        min(case when {{ condition }} then event_at end) as first_{{ name }}_at,
        count(case when {{ condition }} then 1 end) as {{ name }}_events,
        {%- endfor %}
        {{ emaillogs.seconds_between("queued", "delivered") }} as seconds_to_deliver,
        {{ emaillogs.seconds_between("delivered", "opened") }} as seconds_from_delivery_to_open,
        {{ emaillogs.seconds_between("delivered", "clicked") }} as seconds_from_delivery_to_click,
        count(*) as events,
        max(arrived_at) as arrived_at
    from ranked
    group by message_key
)

select
    *,
    -- A mail belongs to the day on which it was queued, whenever the rest happened: so that all rates of a day share a denominator.
    -- Of a mail whose queueing is not known it is the day of its first event; one without any time is in no day.
    coalesce(first_queued_at, first_event_at) as counted_at,
    {{ emaillogs.utc_day('coalesce(first_queued_at, first_event_at)') }} as day,
    case
        -- What came back for a while arrived when it was delivered afterwards; what was delivered and came back did not.
        when bounced_hard_events > 0 or (bounced_events > 0 and not coalesce(first_delivered_at > first_bounced_at, false)) then 'bounced'
        when rejected_events > 0 then 'rejected'
        when failed_events > 0 then 'failed'
        when delivered_events + opened_events + clicked_events + complained_events + unsubscribed_events > 0 then 'delivered'
        when deferred_events > 0 then 'still being tried'
        when sent_events > 0 then 'sent, no word since'
        else 'no word yet'
    end as outcome
from messages
