{%- set outcomes = ['sent', 'delivered', 'bounced', 'bounced_hard', 'bounced_soft', 'bounced_undetermined', 'deferred', 'failed', 'complained', 'unsubscribed',
    'opened', 'opened_by_person', 'clicked', 'clicked_by_person'] -%}

-- Mails whose events have no time are in the day null. `<what>_events` are all that were loaded; rates take those of queued mails only.
with counted as (
    select
        day,
        provider,
        account,
        sender_domain,
        recipient_domain,
        count(*) as messages,
        count(case when queued_events > 0 then 1 end) as queued,
        count(case when rejected_events > 0 then 1 end) as rejected,
        count(case when queued_events = 0 and rejected_events > 0 then 1 end) as rejected_before_queued,
        count(case when rejected_events > 0 or failed_events > 0 then 1 end) as not_sent,
        count(case when queued_events > 0 or rejected_events > 0 or failed_events > 0 then 1 end) as asked_for,
        {%- for name in outcomes %}
        count(case when queued_events > 0 and {{ name }}_events > 0 then 1 end) as {{ name }},
        {%- endfor %}
        sum(events) as events,
        sum(queued_events) as queued_events,
        sum(rejected_events) as rejected_events,
        {%- for name in outcomes %}
        sum({{ name }}_events) as {{ name }}_events,
        sum(case when queued_events > 0 then {{ name }}_events else 0 end) as {{ name }}_events_of_queued{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('dim_messages') }}
    group by 1, 2, 3, 4, 5
)

select
    day,
    provider,
    account,
    sender_domain,
    recipient_domain,
    messages,
    queued,
    rejected,
    rejected_before_queued,
    not_sent,
    asked_for,
    {%- for name in outcomes %}
    {{ name }},
    {%- endfor %}
    events,
    queued_events,
    rejected_events,
    {%- for name in outcomes %}
    {{ name }}_events,
    {%- endfor %}
    {%- for name in outcomes %}
    {{ emaillogs.rate(name, 'queued') }} as {{ name }}_rate,
    {{ emaillogs.rate(name ~ '_events_of_queued', 'queued') }} as {{ name }}_total_rate,
    {%- endfor %}
    {{ emaillogs.rate('rejected', '(queued + rejected_before_queued)') }} as rejected_rate
from counted
