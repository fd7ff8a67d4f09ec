-- The alert on completeness: hours that the vendor cut, lost or that were never read. `pending` and `failed` are for a later run.
{{ config(severity='warn', tags=['alert']) }}

select provider, account, stream, hour, status
from {{ ref('completeness_hourly') }}
where status in ('truncated', 'unavailable', 'never read')
