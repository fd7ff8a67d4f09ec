"""Made-up companies as the loader would leave them in DuckDB: big ones by formula, for the tests of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    from pathlib import Path

PROVIDERS = ("infobip", "jetemail", "messangi", "smtp2go", "zeptomail")
ACCOUNTS = ("default", "shop", "newsletter", "a-company-with-quite-a-long-name")
_EVENTS = """
create schema if not exists tap_emaillogs;
create table tap_emaillogs.email_events as
with mails as (
    select
        vendor, day, number,
        accounts[1 + number % len(accounts)] as account,
        'sender' || (number // len(accounts)) % $senders || '.example' as sender_domain,
        'domain' || number || '.example' as recipient_domain,
        (number * 7919 + day * 104729 + length(vendor) * 1299709) % 1000 as luck,
        timestamp '2026-03-01 10:00:00' - to_days(day::int) + to_seconds(number) as queued_at
    from
        range($days) as days(day), range($mails) as numbers(number), unnest($providers) as vendors(vendor),
        (select $accounts as accounts)
)
select
    vendor || day || '-' || number || kind as event_id, vendor as provider, account, vendor as stream,
    vendor || day || '-' || number as message_id,
    'r' || number || '@' || recipient_domain as recipient,
    recipient_domain,
    sender_domain, kind as event_type, case kind when 'bounced' then if(luck < 40, 'hard', 'soft') end as bounce_class,
    case when kind in ('bounced', 'deferred') then
        ['550 5.1.1 no such user', '452 4.2.2 mailbox full', '550 5.7.1 blocked', '421 4.7.0 try later'][1 + luck % 4]
    end as reason,
    queued_at + to_seconds(
        case kind when 'queued' then 0 when 'opened' then 900 when 'complained' then 9000 else 2 + luck % 30 end
    ) as event_at
from mails, unnest(['queued', if(luck < 60, 'bounced', 'delivered'), 'deferred', 'opened', 'complained']) as kinds(kind)
where
    case kind
        when 'deferred' then luck % 50 = 3
        when 'opened' then luck > 700
        when 'complained' then luck = 999
        else true
    end;
"""
_LEDGER = """
create table tap_emaillogs.sync_windows as
select
    vendor || account || stream || day as window_id, vendor as provider, account, vendor || '_' || stream as stream,
    case
        when vendor || ':' || account in (select unnest($failed)) then 'failed'
        when day % 37 = 11 and account = 'shop' then 'truncated'
        else 'complete'
    end as status,
    timestamp '2026-03-01 12:00:00' - to_days(day::int + 1) as window_start,
    timestamp '2026-03-01 12:00:00' - to_days(day::int) as window_end
from
    range($days) as days(day), unnest($providers) as vendors(vendor), unnest($accounts) as names(account),
    unnest(['log', 'reports']) as streams(stream);
"""


def company(
    file: Path,
    *,
    days: int = 90,
    mails: int = 1000,
    providers: tuple[str, ...] = PROVIDERS,
    accounts: tuple[str, ...] = ACCOUNTS,
    senders: int = 12,
    failed: tuple[str, ...] = (),
) -> None:
    """Write the tables of a company: so many mails a day and provider, each to another domain, up to 2026-03-01.

    `failed` are accounts, `provider:account`, of which no window was ever read.
    """
    given = {"days": days, "providers": list(providers), "accounts": list(accounts)}
    with duckdb.connect(str(file)) as connection:
        create, events = _EVENTS.split(";", 1)
        connection.execute(create)
        connection.execute(events, {**given, "mails": mails, "senders": senders})
        connection.execute(_LEDGER, {**given, "failed": list(failed)})
