{#- A server's answer without what differs from mail to mail: addresses, links, IPs, long ids and numbers, and in at most 160 characters. -#}
{% macro cleaned_reason(expression) -%}
  {%- set text = namespace(sql=expression) -%}
  {%- for pattern, short in [
      ('[^[:space:]<>(),;:]+@[^[:space:]<>(),;:]+', '<address>'),
      ('https?://[^[:space:]<>()]+', '<link>'),
      ('[0-9]+[.][0-9]+[.][0-9]+[.][0-9]+', '<ip>'),
      ('[0-9a-fA-F]*:[0-9a-fA-F:]*:[0-9a-fA-F:]*', '<ip>'),
      ('[A-Za-z0-9_-]*[0-9][A-Za-z0-9_-]{11,}([.][A-Za-z0-9_-]+)*', '<id>'),
      ('[0-9]{5,}', '<number>'),
      ('[[:space:]]+', ' '),
  ] -%}
    {%- set text.sql = emaillogs.replaced(text.sql, pattern, short) -%}
  {%- endfor -%}
  trim(substring({{ text.sql }}, 1, 160))
{%- endmacro %}
