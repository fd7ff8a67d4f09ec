-- Each hour of each endpoint, by the ledger. Time is cut at every window's edge and at every hour; of each piece we know how many
-- windows of each status cover it (a running sum, so that the cost grows with the ledger and not with its square).
-- What is lost for good wins over what a later run may bring; what lies before `completeness_hours` is left out.
-- A name that the ledger does not have (deselected, or null) is a word, so that joins find its hours.
{%- set statuses = ['complete', 'pending', 'failed', 'truncated', 'unavailable'] %}

with windows as (
    select
        coalesce(provider, '(none)') as provider,
        coalesce(account, '(none)') as account,
        coalesce(stream, '(none)') as stream,
        status,
        {{ emaillogs.epoch('window_start') }} as starts,
        {{ emaillogs.epoch('window_end') }} as ends
    from {{ ref('stg_sync_windows') }}
    where window_end > window_start
),

endpoints as (
    select
        provider,
        account,
        stream,
        min(starts) as first_at,
        max(ends) as last_at
    from windows
    group by provider, account, stream
),

numbers as ({{ dbt.generate_series(var('completeness_hours')) }}),

hours as (
    select
        endpoints.provider,
        endpoints.account,
        endpoints.stream,
        (floor(endpoints.last_at / 3600) - numbers.generated_number + 1) * 3600 as cut_at
    from endpoints
    inner join numbers on (floor(endpoints.last_at / 3600) - numbers.generated_number + 2) * 3600 > endpoints.first_at
),

edges as (
    {%- for edge, sign in [['starts', 1], ['ends', -1]] %}
    select
        provider,
        account,
        stream,
        {{ edge }} as cut_at,
        {%- for status in statuses %}
        case when status = '{{ status }}' then {{ sign }} else 0 end as {{ status }}{{ ',' if not loop.last }}
        {%- endfor %}
    from windows
    union all
    {%- endfor %}
    select
        provider,
        account,
        stream,
        cut_at,
        {%- for status in statuses %}
        0 as {{ status }}{{ ',' if not loop.last }}
        {%- endfor %}
    from hours
),

points as (
    select
        provider,
        account,
        stream,
        cut_at,
        {%- for status in statuses %}
        sum({{ status }}) as {{ status }}{{ ',' if not loop.last }}
        {%- endfor %}
    from edges
    group by provider, account, stream, cut_at
),

pieces as (
    select
        provider,
        account,
        stream,
        cut_at,
        lead(cut_at) over (partition by provider, account, stream order by cut_at) as next_cut_at,
        {%- for status in statuses %}
        sum({{ status }}) over (partition by provider, account, stream order by cut_at rows unbounded preceding) as {{ status }}{{ ',' if not loop.last }}
        {%- endfor %}
    from points
),

judged as (
    select
        provider,
        account,
        stream,
        cut_at,
        next_cut_at,
        case
            when complete > 0 then 'complete'
            {%- for status in statuses[1:] | reverse %}
            when {{ status }} > 0 then '{{ status }}'
            {%- endfor %}
            else 'never read'
        end as status
    from pieces
    inner join endpoints using (provider, account, stream)
    where
        pieces.next_cut_at is not null
        and pieces.cut_at >= endpoints.first_at
        and pieces.cut_at >= (floor(endpoints.last_at / 3600) - {{ var('completeness_hours') }} + 1) * 3600
        and pieces.next_cut_at <= endpoints.last_at
),

ranked as (
    select
        *,
        floor(cut_at / 3600) * 3600 as hour_starts,
        case status
            when 'complete' then 0 when 'pending' then 1 when 'failed' then 2 when 'truncated' then 3 when 'never read' then 4 else 5
        end as badness
    from judged
),

worst as (
    select
        provider,
        account,
        stream,
        hour_starts,
        max(badness) as badness,
        sum(case when status = 'complete' then next_cut_at - cut_at else 0 end) as seconds_complete,
        sum(next_cut_at - cut_at) as seconds
    from ranked
    group by provider, account, stream, hour_starts
)

select
    provider,
    account,
    stream,
    {{ emaillogs.from_epoch('hour_starts') }} as hour,
    case badness
        when 0 then 'complete' when 1 then 'pending' when 2 then 'failed' when 3 then 'truncated' when 4 then 'never read'
        else 'unavailable'
    end as status,
    seconds_complete / seconds as share_complete
from worst
