{%- set measures = emaillogs.measures() -%}
{%- set sums = ['queued', 'asked_for', 'complained', 'bounced', 'bounced_hard', 'not_sent'] -%}

-- Each account's last days end with its own last mail: nobody else's, and none of the future, hide what it did.
with spans as (
    select
        coalesce(provider, '') as provider,
        coalesce(account, '') as account,
        max(day) as last_day,
        cast({{ dbt.dateadd('day', -1 * (var('health_days') | int), 'max(day)') }} as date) as before_first_day
    from {{ ref('agg_deliverability_daily') }}
    where day <= {{ emaillogs.today() }}
    group by coalesce(provider, ''), coalesce(account, '')
),

counted as (
    select
        daily.provider,
        daily.account,
        daily.sender_domain,
        min(daily.day) as first_day,
        max(daily.day) as last_day,
        {%- for name in sums %}
        sum(daily.{{ name }}) as {{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('agg_deliverability_daily') }} as daily
    inner join spans on coalesce(daily.provider, '') = spans.provider and coalesce(daily.account, '') = spans.account
    where daily.day > spans.before_first_day and daily.day <= spans.last_day
    group by daily.provider, daily.account, daily.sender_domain
),

said as (
    select
        reasons.*,
        case
            when event_type = 'bounced' and bounce_class = 'hard' then 'hard_bounce'
            when event_type = 'bounced' then 'bounce'
            else 'not_sent'
        end as measure
    from {{ ref('message_reasons') }} as reasons
    inner join spans on coalesce(reasons.provider, '') = spans.provider and coalesce(reasons.account, '') = spans.account
    where
        reasons.day > spans.before_first_day and reasons.day <= spans.last_day
        and reasons.event_type in ('bounced', 'rejected', 'failed')
),

causes as (
    select
        provider,
        account,
        sender_domain,
        measure,
        smtp_enhanced_code,
        -- What was said of few mails may be about one person.
        case when count(distinct message_key) >= {{ var('named_from_mails') }} then reason end as reason,
        row_number() over (
            partition by provider, account, sender_domain, measure
            order by count(distinct message_key) desc, coalesce(smtp_enhanced_code, ''), reason
        ) as place
    from said
    group by provider, account, sender_domain, measure, smtp_enhanced_code, reason
),

commonest as (
    select
        provider,
        account,
        sender_domain,
        {%- for name in ['hard_bounce', 'bounce', 'not_sent'] %}
        min(case when measure = '{{ name }}' then smtp_enhanced_code end) as {{ name }}_code,
        min(case when measure = '{{ name }}' then reason end) as {{ name }}_reason{{ ',' if not loop.last }}
        {%- endfor %}
    from causes
    where place = 1
    group by provider, account, sender_domain
),

measured as (
    select
        counted.*,
        {%- for name, part, whole, grades in measures %}
        {{ emaillogs.rate(part, whole) }} as {{ name }}_rate,
        {{ emaillogs.clopper_pearson(part, whole, 'lower') }} as {{ name }}_rate_low,
        {{ emaillogs.clopper_pearson(part, whole, 'upper') }} as {{ name }}_rate_high,
        {%- endfor %}
        commonest.hard_bounce_code,
        commonest.hard_bounce_reason,
        commonest.bounce_reason,
        commonest.not_sent_reason
    from counted
    left join commonest
        on
            coalesce(counted.provider, '') = coalesce(commonest.provider, '')
            and coalesce(counted.account, '') = coalesce(commonest.account, '')
            and coalesce(counted.sender_domain, '') = coalesce(commonest.sender_domain, '')
),

graded as (
    select
        *,
        {%- for name, part, whole, grades in measures %}
        -- Surely past a threshold, or surely below the first: else there are too few to tell.
        case
            when {{ name }}_rate_high <= {{ var(name ~ '_rate_watch') }} then 'good'
            when {{ part }} < {{ var('health_least_events') }} then 'too few to tell'
            {%- for grade in grades | reverse %}
            when {{ name }}_rate_low > {{ var(name ~ '_rate_' ~ grade) }} then '{{ grade }}'
            {%- endfor %}
            else 'too few to tell'
        end as {{ name }}_grade{{ ',' if not loop.last }}
        {%- endfor %}
    from measured
),

worst as (
    select
        *,
        case
            {%- for grade in ['critical', 'bad', 'watch', 'too few to tell'] %}
            when '{{ grade }}' in (complaint_grade, hard_bounce_grade, bounce_grade, not_sent_grade) then '{{ grade }}'
            {%- endfor %}
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
        when hard_bounce_grade = grade and hard_bounce_code like '5.1.%' then 'addresses that do not exist: an old, bought or mistyped list'
        when hard_bounce_grade = grade and hard_bounce_code like '5.7.%'
            then 'receiving servers refuse the sender: reputation, a block list, or SPF, DKIM and DMARC'
        when hard_bounce_grade = grade and hard_bounce_code like '5.2.%' then 'mailboxes that are full or switched off: an old list'
        when hard_bounce_grade = grade
            then 'receiving servers refuse the mails for good' || coalesce('; most often they say: ' || hard_bounce_reason, ', in words that differ from mail to mail')
        when not_sent_grade = grade
            then 'the provider rejects the mails or fails to send them' || coalesce('; most often it says: ' || not_sent_reason, ', in words that differ from mail to mail')
        else 'receiving servers put the mails off, or do not say why' || coalesce('; most often they say: ' || bounce_reason, ', in words that differ from mail to mail')
    end as likely_cause
from worst
