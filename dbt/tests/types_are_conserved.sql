-- Conservation by type: what was loaded is what the days add up to. A name that is null is as good as any, and differs from the empty one.
{%- set types = ['queued', 'sent', 'delivered', 'bounced', 'deferred', 'rejected', 'failed', 'complained', 'unsubscribed', 'opened', 'clicked'] %}
with loaded as (
    select
        {{ emaillogs.with_length('provider') }} as provider,
        {{ emaillogs.with_length('account') }} as account,
        {%- for type in types %}
        count(case when event_type = '{{ type }}' then 1 end) as {{ type }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('stg_email_events') }}
    group by 1, 2
),

added_up as (
    select
        {{ emaillogs.with_length('provider') }} as provider,
        {{ emaillogs.with_length('account') }} as account,
        {%- for type in types %}
        sum({{ type }}_events) as {{ type }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('agg_deliverability_daily') }}
    group by 1, 2
)

select
    loaded.provider,
    loaded.account
from loaded
left join added_up
    on loaded.provider = added_up.provider and loaded.account = added_up.account
where
    added_up.provider is null
    {%- for type in types %}
    or loaded.{{ type }} <> added_up.{{ type }}
    {%- endfor %}
