-- Without these columns of email_events (a catalog that deselects them) mails cannot be told from each other, or counts are wrong; without
-- those of sync_windows what one endpoint read hides what another missed, or there are no hours at all.
{{ config(severity='warn') }}
{%- set needed = {
    'email_events': [
        'provider', 'account', 'message_id', 'recipient', 'recipient_domain', 'sender_domain', 'event_type', 'bounce_class', 'event_at',
    ],
    'sync_windows': ['provider', 'account', 'stream', 'window_start', 'window_end', 'status'],
} %}
{%- set missing = [] %}
{%- if execute %}
  {%- for stream, names in needed.items() %}
    {%- set declared = source('emaillogs', stream) %}
    {%- set relation = adapter.get_relation(declared.database, declared.schema, declared.identifier) %}
    {%- if relation is not none %}
      {%- set present = adapter.get_columns_in_relation(relation) | map(attribute='name') | map('lower') | list %}
      {%- for name in names if name not in present %}
        {%- do missing.append(stream ~ '.' ~ name) %}
      {%- endfor %}
    {%- endif %}
  {%- endfor %}
{%- endif %}
{% for name in missing %}
select '{{ name }}' as missing_column
{{ 'union all' if not loop.last }}
{% else %}
select 'none' as missing_column where 1 = 0
{% endfor %}
