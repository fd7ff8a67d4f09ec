-- The alert on completeness: hours that the vendor cut, lost or that were never read, and a ledger that is not there. `pending` and `failed` are for a later run.
{{ config(severity='warn', tags=['alert']) }}

select provider, account, stream, hour, status
from {{ ref('completeness_hourly') }}
where status in ('truncated', 'unavailable', 'never read')
union all
-- Events without any hour of a ledger: nothing says that they are all.
select distinct
    provider,
    account,
    stream,
    cast(null as {{ emaillogs.type_moment() }}) as hour,
    'no ledger' as status
from {{ ref('stg_email_events') }}
where not exists (select 1 from {{ ref('completeness_hourly') }})
