select
    day,
    provider,
    account,
    sender_domain,
    recipient_domain,
    count(*) as delivered,
    {{ emaillogs.quantile('seconds_to_deliver', 0.5) }} as seconds_p50,
    {{ emaillogs.quantile('seconds_to_deliver', 0.9) }} as seconds_p90,
    {{ emaillogs.quantile('seconds_to_deliver', 0.99) }} as seconds_p99,
    max(seconds_to_deliver) as seconds_max
from {{ ref('dim_messages') }}
where seconds_to_deliver is not null
group by 1, 2, 3, 4, 5
