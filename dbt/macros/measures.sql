{#- What health grades, by vars named `<name>_rate_<grade>`: [name, the mails to which it happened, those it is a share of, the grades from
    the mildest on]. -#}
{% macro measures() -%}
  {{ return([
    ['complaint', 'complained', 'queued', ['watch', 'bad']],
    ['hard_bounce', 'bounced_hard', 'queued', ['watch', 'bad', 'critical']],
    ['bounce', 'bounced', 'queued', ['watch', 'bad']],
    ['not_sent', 'not_sent', 'asked_for', ['watch', 'bad']],
  ]) }}
{%- endmacro %}
