-- Conservation by type: what was loaded is what the days add up to.
{%- set types = ['queued', 'sent', 'delivered', 'bounced', 'deferred', 'rejected', 'failed', 'complained', 'unsubscribed', 'opened', 'clicked'] %}
with loaded as (
    select
        provider,
        account,
        {%- for type in types %}
        count(case when event_type = '{{ type }}' then 1 end) as {{ type }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('stg_email_events') }}
    group by provider, account
),

added_up as (
    select
        provider,
        account,
        {%- for type in types %}
        sum({{ type }}_events) as {{ type }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('agg_deliverability_daily') }}
    group by provider, account
)

select
    loaded.provider,
    loaded.account
from loaded
left join added_up
    on loaded.provider = added_up.provider and coalesce(loaded.account, '') = coalesce(added_up.account, '')
where
    added_up.provider is null
    {%- for type in types %}
    or loaded.{{ type }} <> added_up.{{ type }}
    {%- endfor %}
