"""What happens to personal data before anything is written.

What a column holds is said in its schema (`annotations`, with the vocabulary). `plan` is what the engine calls: one
plan per endpoint, made of the annotated schemas and primary keys of its streams (`streams.schemas.columns`), used by
its workers once for each record and what was derived of it, after keys are made and before anything is encoded.

`plan` → `clearing` (a stream's records) → `handlers` (a column) → `undeclared` (objects nobody documents) → `hiding`
(one value) → `personal` (what a record hides, found in its texts) → `encoded`, `finding` (in whatever form, and however
many there are). It knows `formats` and nothing above.
"""
