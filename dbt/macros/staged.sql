{#- The columns of a loaded table with the names and types that the tap's schema means: `columns` is a list of [column, kind, name].
    A table that is not there (a vendor nobody uses) has no rows, and a column that is not (deselected) is null, so that one
    project fits every choice of streams. Loaders change the case of names; it is ignored. -#}
{% macro staged(stream, columns) -%}
{%- set relation = none -%}
{%- set present = {} -%}
{%- if execute -%}
  {%- set declared = source('emaillogs', stream) -%}
  {%- set relation = adapter.get_relation(declared.database, declared.schema, declared.identifier) -%}
  {%- if relation is not none -%}
    {%- for column in adapter.get_columns_in_relation(relation) -%}
      {%- do present.update({column.name | lower: column}) -%}
    {%- endfor -%}
  {%- endif -%}
{%- endif -%}
select
{%- for column, kind, name in columns %}
  {{ emaillogs.typed(present.get(column | lower), kind) }} as {{ name }},
{%- endfor %}
  {{ emaillogs.typed(emaillogs.first_present(present, var('arrival_columns')), 'timestamp') }} as arrived_at
{% if relation is none -%}
from (select 1 as nothing) as nobody where 1 = 0
{%- else -%}
from {{ source('emaillogs', stream) }}
{%- endif %}
{%- endmacro %}

{#- The first of the names that is a column, or none. -#}
{% macro first_present(present, names) -%}
  {%- for name in names if name | lower in present -%}
    {%- if loop.first -%}{{ return(present[name | lower]) }}{%- endif -%}
  {%- endfor -%}
  {{ return(none) }}
{%- endmacro %}

{#- A column as a type: text, integer, number, boolean, timestamp (with zone) or json. -#}
{% macro typed(column, kind) -%}
  {%- if column is none -%}
    cast(null as {{ emaillogs.type_of(kind) }})
  {%- elif kind == 'timestamp' -%}
    {{ emaillogs.moment(adapter.quote(column.name), column.dtype | lower) }}
  {%- elif kind == 'json' -%}
    {{ emaillogs.parsed_json(adapter.quote(column.name), column.dtype | lower) }}
  {%- else -%}
    cast({{ adapter.quote(column.name) }} as {{ emaillogs.type_of(kind) }})
  {%- endif -%}
{%- endmacro %}

{% macro type_of(kind) -%}
  {%- if kind == 'timestamp' -%}{{ emaillogs.type_moment() }}
  {%- elif kind == 'json' -%}{{ emaillogs.type_json() }}
  {%- elif kind == 'integer' -%}{{ dbt.type_bigint() }}
  {%- elif kind == 'number' -%}{{ emaillogs.type_double() }}
  {%- elif kind == 'boolean' -%}{{ dbt.type_boolean() }}
  {%- else -%}{{ dbt.type_string() }}{%- endif -%}
{%- endmacro %}
