-- Without these columns of email_events (a catalog that deselects them) mails cannot be told from each other, or counts are wrong.
{{ config(severity='warn') }}
{%- set needed = [
    'provider', 'account', 'message_id', 'recipient', 'recipient_domain', 'sender_domain', 'event_type', 'bounce_class', 'event_at',
] %}
{%- set missing = [] %}
{%- if execute %}
  {%- set declared = source('emaillogs', 'email_events') %}
  {%- set relation = adapter.get_relation(declared.database, declared.schema, declared.identifier) %}
  {%- if relation is not none %}
    {%- set present = adapter.get_columns_in_relation(relation) | map(attribute='name') | map('lower') | list %}
    {%- for name in needed if name not in present %}
      {%- do missing.append(name) %}
    {%- endfor %}
  {%- endif %}
{%- endif %}
{% for name in missing %}
select '{{ name }}' as missing_column
{{ 'union all' if not loop.last }}
{% else %}
select 'none' as missing_column where 1 = 0
{% endfor %}
