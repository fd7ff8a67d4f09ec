{{ config(materialized='incremental', unique_key='event_id', on_schema_change='sync_all_columns') }}

with all_events as (
    select
        *,
        -- Each part with its length: no two mails can read the same, whatever is in them.
        {{ dbt.hash(dbt.concat([
            emaillogs.with_length('provider'),
            emaillogs.with_length('account'),
            "case when message_id is not null then 'm' when provider_event_id is not null then 'p' else 'e' end",
            emaillogs.with_length('coalesce(message_id, provider_event_id, event_id)'),
            emaillogs.with_length('lower(recipient)')
        ])) }} as message_key
    from {{ ref('stg_email_events') }}
),

{% if is_incremental() %}
-- New is what is not here yet as it was loaded: by comparison and not by a high-water mark, which a loader with a wrong clock, or a slow
-- one beside a fast one, would push past events that come later.
changed as (
    select
        all_events.message_key,
        known.message_key as key_before
    from all_events
    left join {{ this }} as known on all_events.event_id = known.event_id
    where
        known.event_id is null
        or known.message_key <> all_events.message_key
        or all_events.arrived_at is null
        or known.arrived_at is null
        or known.arrived_at <> all_events.arrived_at
),

-- An event can change what the others of its mail mean (a delivery tells which clicks came too soon): whole mails are made anew.
touched as (
    select distinct message_key
    from (
        select message_key from changed
        union all
        select key_before from changed
        where key_before is not null
    ) as before_and_after
),

events as (
    select all_events.*
    from all_events
    inner join touched on all_events.message_key = touched.message_key
),
{% else %}
events as (select * from all_events),
{% endif %}

deliveries as (
    select
        message_key,
        min(event_at) as first_delivered_at
    from events
    where event_type = 'delivered'
    group by message_key
),

bursts as (
    select
        message_key,
        floor({{ emaillogs.epoch('event_at') }}) as second_of_day,
        count(distinct url) as links
    from events
    where event_type = 'clicked'
    group by message_key, floor({{ emaillogs.epoch('event_at') }})
    having count(distinct url) >= {{ var('machine_links_in_a_second') }}
),

agents as (
    select
        seen.user_agent,
        min(known.kind) as kind
    from (select distinct user_agent from events where user_agent is not null) as seen
    inner join {{ ref('machine_user_agents') }} as known
        on lower(trim(seen.user_agent)) like known.pattern
    where known.is_machine
    group by seen.user_agent
),

judged as (
    select
        events.*,
        case
            when events.event_type not in ('opened', 'clicked') then null
            when agents.kind is not null then 'user agent: ' || agents.kind
            when bursts.links is not null then 'many links in one second'
            when
                -- Clocks differ by seconds; long before the delivery that is known, there was another one.
                {{ emaillogs.epoch('events.event_at') }} - {{ emaillogs.epoch('deliveries.first_delivered_at') }}
                between -60 and case events.event_type
                    when 'clicked' then {{ var('machine_click_seconds') }}
                    else {{ var('machine_open_seconds') }}
                end
                then 'within seconds of delivery'
        end as machine_reason
    from events
    left join deliveries on events.message_key = deliveries.message_key
    left join bursts
        on
            events.message_key = bursts.message_key
            and floor({{ emaillogs.epoch('events.event_at') }}) = bursts.second_of_day
            and events.event_type = 'clicked'
    left join agents on events.user_agent = agents.user_agent
)

select
    event_id,
    message_key,
    provider,
    account,
    stream,
    provider_event_id,
    message_id,
    recipient,
    recipient_domain,
    sender,
    sender_domain,
    campaign,
    subject,
    event_type,
    bounce_class,
    reject_reason,
    provider_event,
    reason,
    smtp_response,
    smtp_code,
    smtp_enhanced_code,
    url,
    user_agent,
    ip,
    country,
    event_at,
    machine_reason is not null as is_machine,
    machine_reason,
    arrived_at
from judged
