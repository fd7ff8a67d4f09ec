{#- The share of mails to which something happened; null where there is none to share among. -#}
{% macro rate(part, whole) -%}
cast({{ part }} as {{ emaillogs.type_double() }}) / nullif({{ whole }}, 0)
{%- endmacro %}

{#- A bound of a share's exact 95 % interval (Clopper and Pearson): where the true rate may lie that gave `part` of `whole`. Exact for
    no, one, all and all but one; else by Pratt's approximation of the beta quantile (1968; Blyth 1986), since no database here has that
    function: the upper bound is right to 0.6 %, the lower one to 1 % from five on (below that it is lower than the exact one, by 7 % at
    most). tests/test_interval.py holds it to the exact one. Wilson's, continuity correction and all, is 13 % too high at five of many. -#}
{% macro clopper_pearson(part, whole, bound) -%}
  {%- set z, tail = 1.959963984540054, 0.025 -%}
  {%- set n = "cast(" ~ whole ~ " as " ~ emaillogs.type_double() ~ ")" -%}
  {%- set x = "cast(" ~ part ~ " as " ~ emaillogs.type_double() ~ ")" -%}
  {#- The lower bound is the upper one of those to whom it did not happen, seen from the other side. -#}
  {%- set more, rest = ("(" ~ x ~ " + 1)", "(" ~ n ~ " - " ~ x ~ ")") if bound == 'upper' else ("(" ~ n ~ " - " ~ x ~ " + 1)", x) -%}
  {%- set odds -%}
    power({{ more }} / {{ rest }}, 2) * power((
      81 * {{ more }} * {{ rest }} - 9 * {{ n }} - 8
      - {{ 3 * z }} * sqrt(9 * {{ more }} * {{ rest }} * (9 * {{ n }} + {{ 5 - z * z }}) + {{ n }} + 1)
    ) / (81 * {{ more }} * {{ more }} - {{ 9 * (2 + z * z) }} * {{ more }} + 1), 3)
  {%- endset -%}
  case
    when {{ whole }} is null or {{ whole }} = 0 then null
    {%- if bound == 'upper' %}
    when {{ part }} = {{ whole }} then 1
    when {{ part }} = 0 then 1 - power({{ tail }}, 1 / {{ n }})
    when {{ part }} = {{ whole }} - 1 then power({{ 1 - tail }}, 1 / {{ n }})
    else 1 / (1 + {{ odds }})
    {%- else %}
    when {{ part }} = 0 then 0
    when {{ part }} = {{ whole }} then power({{ tail }}, 1 / {{ n }})
    when {{ part }} = 1 then 1 - power({{ 1 - tail }}, 1 / {{ n }})
    else 1 - 1 / (1 + {{ odds }})
    {%- endif %}
  end
{%- endmacro %}

{#- Seconds from the first event of one type to the first of another, as an aggregate; null where one of them is not there. -#}
{% macro seconds_between(earlier, later) -%}
{{ emaillogs.epoch("min(case when event_type = '" ~ later ~ "' then event_at end)") }}
    - {{ emaillogs.epoch("min(case when event_type = '" ~ earlier ~ "' then event_at end)") }}
{%- endmacro %}
