-- The alert: `dbt test --select health_is_not_critical` ends with a row per sender whose rates are surely past the threshold.
{{ config(severity='error', tags=['alert']) }}

select provider, account, sender_domain, grade, complaint_rate, hard_bounce_rate, likely_cause
from {{ ref('health') }}
where grade = 'critical'
