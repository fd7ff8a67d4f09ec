{#- The share of mails to which something happened; null where there is none to share among. -#}
{% macro rate(part, whole) -%}
cast({{ part }} as {{ emaillogs.type_double() }}) / nullif({{ whole }}, 0)
{%- endmacro %}

{#- A bound of a share's 95 % interval, Wilson's with continuity correction (Newcombe 1998, method 4): where the true rate may lie
    that gave `part` of `whole`. It is wider than Wilson's own, close to the exact one (Clopper and Pearson), and needs no beta function. -#}
{% macro wilson(part, whole, bound) -%}
  {%- set z = 1.959964 -%}
  {%- set n = "cast(" ~ whole ~ " as " ~ emaillogs.type_double() ~ ")" -%}
  {%- set p = "(cast(" ~ part ~ " as " ~ emaillogs.type_double() ~ ") / " ~ n ~ ")" -%}
  {%- set sign, limit, pick = ('+', 1, 'least') if bound == 'upper' else ('-', 0, 'greatest') -%}
  case
    when {{ whole }} is null or {{ whole }} = 0 then null
    when {{ part }} = {{ whole if bound == 'upper' else 0 }} then {{ limit }}
    else {{ pick }}({{ limit }}, (2 * {{ n }} * {{ p }} + {{ z * z }} {{ sign }} (1 + {{ z }} * sqrt(
      {{ z * z }} {{ sign }} 2 - 1 / {{ n }} + 4 * {{ p }} * ({{ n }} * (1 - {{ p }}) {{ '-' if bound == 'upper' else '+' }} 1)
    ))) / (2 * ({{ n }} + {{ z * z }})))
  end
{%- endmacro %}

{#- Seconds from the first event of one type to the first of another, as an aggregate; null where one of them is not there. -#}
{% macro seconds_between(earlier, later) -%}
{{ emaillogs.epoch("min(case when event_type = '" ~ later ~ "' then event_at end)") }}
    - {{ emaillogs.epoch("min(case when event_type = '" ~ earlier ~ "' then event_at end)") }}
{%- endmacro %}
