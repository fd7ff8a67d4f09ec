{#- The share of mails to which something happened; null where there is none to share among. -#}
{% macro rate(part, whole) -%}
cast({{ part }} as {{ emaillogs.type_double() }}) / nullif({{ whole }}, 0)
{%- endmacro %}

{#- A bound of Wilson's 95 % interval of a share: where the true rate may lie that gave `part` of `whole`. -#}
{% macro wilson(part, whole, bound) -%}
  {%- set z = 1.959964 -%}
  {%- set p = "(cast(" ~ part ~ " as " ~ emaillogs.type_double() ~ ") / nullif(" ~ whole ~ ", 0))" -%}
  {%- set n = "nullif(cast(" ~ whole ~ " as " ~ emaillogs.type_double() ~ "), 0)" -%}
  (({{ p }} + {{ z * z / 2 }} / {{ n }} {{ '+' if bound == 'upper' else '-' }}
    {{ z }} * sqrt({{ p }} * (1 - {{ p }}) / {{ n }} + {{ z * z / 4 }} / ({{ n }} * {{ n }}))) / (1 + {{ z * z }} / {{ n }}))
{%- endmacro %}

{#- Seconds from the first event of one type to the first of another, as an aggregate; null where one of them is not there. -#}
{% macro seconds_between(earlier, later) -%}
{{ emaillogs.epoch("min(case when event_type = '" ~ later ~ "' then event_at end)") }}
    - {{ emaillogs.epoch("min(case when event_type = '" ~ earlier ~ "' then event_at end)") }}
{%- endmacro %}
