{%- set measures = [
    ['complaint', 'complained', 'queued', [['watch', var('complaint_rate_watch')], ['bad', var('complaint_rate_bad')]]],
    ['hard_bounce', 'bounced_hard', 'queued', [
        ['watch', var('hard_bounce_rate_watch')], ['bad', var('hard_bounce_rate_bad')], ['critical', var('hard_bounce_rate_critical')]]],
] -%}

with recent as (
    select *
    from {{ ref('agg_deliverability_daily') }}
    where day > (
        select {{ dbt.dateadd('day', -1 * (var('health_days') | int), 'max(day)') }} from {{ ref('agg_deliverability_daily') }}
    )
),

counted as (
    select
        provider,
        account,
        sender_domain,
        min(day) as first_day,
        max(day) as last_day,
        sum(queued) as queued,
        sum(bounced_hard) as bounced_hard,
        sum(complained) as complained
    from recent
    group by provider, account, sender_domain
),

causes as (
    select
        provider,
        account,
        sender_domain,
        smtp_enhanced_code,
        reason,
        row_number() over (
            partition by provider, account, sender_domain order by sum(messages) desc, smtp_enhanced_code, reason
        ) as place
    from {{ ref('bounce_reasons') }}
    where
        event_type = 'bounced' and bounce_class = 'hard'
        and day > (select {{ dbt.dateadd('day', -1 * (var('health_days') | int), 'max(day)') }} from {{ ref('agg_deliverability_daily') }})
    group by provider, account, sender_domain, smtp_enhanced_code, reason
),

measured as (
    select
        counted.*,
        {%- for name, part, whole, thresholds in measures %}
        {{ emaillogs.rate(part, whole) }} as {{ name }}_rate,
        {{ emaillogs.wilson(part, whole, 'lower') }} as {{ name }}_rate_low,
        {{ emaillogs.wilson(part, whole, 'upper') }} as {{ name }}_rate_high,
        {%- endfor %}
        causes.smtp_enhanced_code as commonest_code,
        causes.reason as commonest_reason
    from counted
    left join causes
        on
            counted.provider = causes.provider
            and counted.account = causes.account
            and coalesce(counted.sender_domain, '') = coalesce(causes.sender_domain, '')
            and causes.place = 1
),

graded as (
    select
        *,
        {%- for name, part, whole, thresholds in measures %}
        -- Surely past a threshold, or surely below the first: else there are too few to tell.
        case
            {%- for grade, threshold in thresholds | reverse %}
            when {{ name }}_rate_low > {{ threshold }} then '{{ grade }}'
            {%- endfor %}
            when {{ name }}_rate_high <= {{ thresholds[0][1] }} then 'good'
            else 'too few to tell'
        end as {{ name }}_grade{{ ',' if not loop.last }}
        {%- endfor %}
    from measured
),

worst as (
    select
        *,
        case
            when 'critical' in (complaint_grade, hard_bounce_grade) then 'critical'
            when 'bad' in (complaint_grade, hard_bounce_grade) then 'bad'
            when 'watch' in (complaint_grade, hard_bounce_grade) then 'watch'
            when 'too few to tell' in (complaint_grade, hard_bounce_grade) then 'too few to tell'
            else 'good'
        end as grade
    from graded
)

select
    *,
    case
        when grade in ('good', 'too few to tell') then null
        when complaint_grade = 'bad' or (complaint_grade = grade and hard_bounce_grade <> grade)
            then 'readers call these mails spam: they did not ask for them, or cannot find the way to unsubscribe'
        when commonest_code like '5.1.%' then 'addresses that do not exist: an old, bought or mistyped list'
        when commonest_code like '5.7.%' then 'receiving servers refuse the sender: reputation, a block list, or SPF, DKIM and DMARC'
        when commonest_code like '5.2.%' then 'mailboxes that are full or switched off: an old list'
        else 'receiving servers refuse the mails for good; most often they say: ' || coalesce(commonest_reason, 'nothing')
    end as likely_cause
from worst
