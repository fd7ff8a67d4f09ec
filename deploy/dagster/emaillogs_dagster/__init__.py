"""Many accounts and long backfills of tap-emaillogs on Dagster: `dagster dev -m emaillogs_dagster.definitions`.

A *group* is one or more accounts that one process of the tap reads: a busy account is a group of its own, quiet ones
share one. A *stretch* is a day, week or month of UTC. Backfills are partitioned by group and stretch, forward runs by
group.

    settings     what the environment says: files, databases, commands
    accounts     the file of accounts: groups, and their shares of the budgets
    given        reads that file, and says what is wrong in it
    references   secrets, which are named and never written down
    process      the tap piped into the loader, as two processes; `guard` ends them with the worker
    state        STATE, one row per account, moved only after the loader has confirmed it
    warehouse    reads the ledger's rows
    ledger       what they say of a stretch: whole, or what is missing
    stretches    the partitions
    backfill     the assets: a table per stream, and the check of each partition
    forward      the asset of forward runs, their schedule, and the check that none is late
    sensors      groups become partitions; what is missing is queued, again if need be
    alerts       failures are told
    restarted    for a container of the code location: runs that went with it begin again
    coordinator  puts the tag on each run that the queue's limits go by
"""
