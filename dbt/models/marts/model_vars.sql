-- The vars that the page needs too: what it draws and names is what the models were made with.
{%- set names = ['named_from_mails'] -%}
{%- for measure, part, whole, grades in emaillogs.measures() -%}
  {%- for grade in grades -%}{%- do names.append(measure ~ '_rate_' ~ grade) -%}{%- endfor -%}
{%- endfor -%}
{% for name in names %}
select
    '{{ name }}' as name,
    cast({{ var(name) }} as {{ emaillogs.type_double() }}) as value
{{ 'union all' if not loop.last }}
{%- endfor %}
