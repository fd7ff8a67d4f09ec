-- Conservation: mails hold all events that were loaded, and each of them once.
with counted as (
    select
        (select count(*) from {{ ref('stg_email_events') }}) as loaded,
        (select count(*) from {{ ref('fct_email_events') }}) as kept,
        (select coalesce(sum(events), 0) from {{ ref('dim_messages') }}) as in_messages,
        (select coalesce(sum(events), 0) from {{ ref('agg_deliverability_daily') }}) as in_days
)

select *
from counted
where loaded <> kept or kept <> in_messages or in_messages <> in_days
