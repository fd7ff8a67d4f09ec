-- Conservation from the raw tables on, where the vendor documents a key: each row that was loaded is found among the events.
{%- set keys = [
    ['smtp2go_activity', 'event_id'], ['jetemail_outbound_logs', 'uid'], ['infobip_email_logs', 'message_id'],
] %}
{% for stream, key in keys %}
select
    '{{ stream }}' as stream,
    raw.{{ key }} as row_key
from {{ ref('stg_' ~ stream) }} as raw
where not exists (
    select 1
    from {{ ref('fct_email_events') }} as events
    where
        events.stream = '{{ stream }}'
        and coalesce(events.account, '') = coalesce(raw.account, '')
        and events.provider_event_id = raw.{{ key }}
)
{{ 'union all' if not loop.last }}
{% endfor %}
