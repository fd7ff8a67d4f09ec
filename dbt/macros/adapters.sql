{#- What differs between databases: DuckDB and PostgreSQL are tested; Snowflake and BigQuery follow their documentation. -#}

{% macro type_moment() -%}{{ return(adapter.dispatch('type_moment', 'emaillogs')()) }}{%- endmacro %}
{% macro default__type_moment() -%}timestamp with time zone{%- endmacro %}
{% macro snowflake__type_moment() -%}timestamp_tz{%- endmacro %}
{% macro bigquery__type_moment() -%}timestamp{%- endmacro %}

{% macro type_double() -%}{{ return(adapter.dispatch('type_double', 'emaillogs')()) }}{%- endmacro %}
{% macro default__type_double() -%}double precision{%- endmacro %}
{% macro bigquery__type_double() -%}float64{%- endmacro %}

{% macro type_json() -%}{{ return(adapter.dispatch('type_json', 'emaillogs')()) }}{%- endmacro %}
{% macro default__type_json() -%}json{%- endmacro %}
{% macro postgres__type_json() -%}jsonb{%- endmacro %}
{% macro snowflake__type_json() -%}variant{%- endmacro %}

{#- Loaders write the tap's UTC times into columns with a zone, without one, or of text. -#}
{% macro moment(expression, dtype) -%}{{ return(adapter.dispatch('moment', 'emaillogs')(expression, dtype)) }}{%- endmacro %}
{% macro default__moment(expression, dtype) -%}
  {%- if dtype.startswith('timestamp') and 'with time zone' not in dtype and dtype not in ('timestamptz', 'timestamp_tz') -%}
    cast({{ expression }} as timestamp) at time zone 'UTC'
  {%- else -%}
    cast({{ expression }} as timestamp with time zone)
  {%- endif -%}
{%- endmacro %}
{% macro snowflake__moment(expression, dtype) -%}
  {%- if 'ntz' in dtype -%}to_timestamp_tz(to_char({{ expression }}, 'YYYY-MM-DD HH24:MI:SS.FF6') || ' +00:00')
  {%- else -%}to_timestamp_tz({{ expression }}){%- endif -%}
{%- endmacro %}
{% macro bigquery__moment(expression, dtype) -%}timestamp({{ expression }}){%- endmacro %}

{#- Loaders write objects as JSON, as text, or as arrays of either. -#}
{% macro parsed_json(expression, dtype) -%}{{ return(adapter.dispatch('parsed_json', 'emaillogs')(expression, dtype)) }}{%- endmacro %}
{% macro default__parsed_json(expression, dtype) -%}cast({{ expression }} as json){%- endmacro %}
{% macro postgres__parsed_json(expression, dtype) -%}
  {%- set value = 'cast(' ~ expression ~ ' as jsonb)' if 'char' in dtype or dtype == 'text' else 'to_jsonb(' ~ expression ~ ')' -%}
  nullif({{ value }}, 'null')
{%- endmacro %}
{% macro snowflake__parsed_json(expression, dtype) -%}
  {%- if 'char' in dtype or dtype == 'text' -%}try_parse_json({{ expression }}){%- else -%}to_variant({{ expression }}){%- endif -%}
{%- endmacro %}
{% macro bigquery__parsed_json(expression, dtype) -%}
  {%- if dtype == 'string' -%}safe.parse_json({{ expression }}){%- else -%}to_json({{ expression }}){%- endif -%}
{%- endmacro %}

{#- A text with its length before it, `-` where it is null: what several of them are joined to can be read in one way only. -#}
{% macro with_length(expression) -%}
coalesce(cast(length({{ expression }}) as {{ dbt.type_string() }}) || ':' || {{ expression }}, '-')
{%- endmacro %}

{#- Today in UTC, or the day of EMAILLOGS_NOW, which tests and pages of the past set. -#}
{% macro today() -%}
  {%- set now = env_var('EMAILLOGS_NOW', '') -%}
  {{ emaillogs.utc_day("cast('" ~ now ~ "' as " ~ emaillogs.type_moment() ~ ")" if now else 'current_timestamp') }}
{%- endmacro %}

{#- The calendar day in UTC. -#}
{% macro utc_day(moment) -%}{{ return(adapter.dispatch('utc_day', 'emaillogs')(moment)) }}{%- endmacro %}
{% macro default__utc_day(moment) -%}cast({{ moment }} at time zone 'UTC' as date){%- endmacro %}
{% macro snowflake__utc_day(moment) -%}to_date(convert_timezone('UTC', {{ moment }})){%- endmacro %}
{% macro bigquery__utc_day(moment) -%}date({{ moment }}){%- endmacro %}

{#- Seconds since 1970 with their fraction. -#}
{% macro epoch(moment) -%}{{ return(adapter.dispatch('epoch', 'emaillogs')(moment)) }}{%- endmacro %}
{% macro default__epoch(moment) -%}cast(extract(epoch from {{ moment }}) as {{ emaillogs.type_double() }}){%- endmacro %}
{% macro snowflake__epoch(moment) -%}(date_part(epoch_microsecond, {{ moment }}) / 1e6){%- endmacro %}
{% macro bigquery__epoch(moment) -%}(unix_micros({{ moment }}) / 1e6){%- endmacro %}

{#- The moment at so many whole seconds since 1970. -#}
{% macro from_epoch(seconds) -%}{{ return(adapter.dispatch('from_epoch', 'emaillogs')(seconds)) }}{%- endmacro %}
{% macro default__from_epoch(seconds) -%}to_timestamp({{ seconds }}){%- endmacro %}
{% macro snowflake__from_epoch(seconds) -%}to_timestamp_tz(to_char(to_timestamp_ntz(cast({{ seconds }} as number(38, 0))), 'YYYY-MM-DD HH24:MI:SS') || ' +00:00'){%- endmacro %}
{% macro bigquery__from_epoch(seconds) -%}timestamp_seconds(cast({{ seconds }} as int64)){%- endmacro %}

{#- A quantile between 0 and 1 of a column, as an aggregate. -#}
{% macro quantile(expression, share) -%}{{ return(adapter.dispatch('quantile', 'emaillogs')(expression, share)) }}{%- endmacro %}
{% macro default__quantile(expression, share) -%}percentile_cont({{ share }}) within group (order by {{ expression }}){%- endmacro %}
{% macro bigquery__quantile(expression, share) -%}approx_quantiles({{ expression }}, 1000)[offset({{ (share * 1000) | int }})]{%- endmacro %}

{#- All places that match a pattern (no groups, no classes with a backslash) replaced by a text. -#}
{% macro replaced(expression, pattern, text) -%}{{ return(adapter.dispatch('replaced', 'emaillogs')(expression, pattern, text)) }}{%- endmacro %}
{% macro default__replaced(expression, pattern, text) -%}regexp_replace({{ expression }}, '{{ pattern }}', '{{ text }}', 'g'){%- endmacro %}
{% macro snowflake__replaced(expression, pattern, text) -%}regexp_replace({{ expression }}, '{{ pattern }}', '{{ text }}'){%- endmacro %}
{% macro bigquery__replaced(expression, pattern, text) -%}regexp_replace({{ expression }}, r'{{ pattern }}', '{{ text }}'){%- endmacro %}
