"""What a plan and a store are, computed straightforwardly: object by object, in lists and dictionaries, every text by `json.dumps`."""

import dataclasses
import hashlib
import json

import numpy as np
import pyarrow as pa

from l9.stages.contract import stage_info
from l9.store.index import CHUNK_ROWS, index_schema


def text_of(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def sha256_of(*texts):
    return hashlib.sha256("".join(texts).encode()).hexdigest()


def object_key(card, version, prep, found, inputs):
    stages = [
        {"target": stage.target, "arguments": stage.arguments, "version": stage_info(stage.resolve()).version} for stage in prep.stages
    ]
    bad = [card.bad_reasons[found.id]] if found.id in card.bad_reasons else []
    return sha256_of(
        text_of(
            {
                "reader": [card.reader, version, card.parameters],
                "object": [found.id, found.member, found.facts],
                "up": card.axes.up,
                "inputs": inputs,
                "known_bad": bad,
                "stages": stages,
            }
        )
    )


def shard_key(members, columns):
    objects = sorted([one.id, one.key] for one in members)
    described = [column.describe() for column in columns]
    return sha256_of(text_of({"format": 2, "columns": described, "compression": "none", "objects": objects}))


def plan_key(card, up, columns, objects):
    head = {"format": 2, "card": card, "up": up, "columns": [column.describe() for column in columns]}
    return sha256_of(text_of(head), *(text_of(dataclasses.asdict(one)) for one in sorted(objects, key=lambda one: one.id)))


def index(objects, columns, shards):
    """Bytes of the index: one table of all rows, written in one go."""
    planned = {one.id: one for one in objects}
    lines = []
    for number, facts in enumerate(sorted(shards, key=lambda facts: facts.key)):
        at = 0
        for name, rows in facts.objects:
            for row in range(rows):
                items = {f"{column}_items": counts[at] for column, counts in facts.items.items()}
                lines.append({"object": name, "row": row, "shard": number, "at": at, "notes": facts.notes.get(name, ""), **items})
                at += 1
    lines.sort(key=lambda line: (line["object"], line["row"]))
    for line in lines:
        one = planned[line["object"]]
        line.update(label=one.label, split=one.split, fold=one.fold, key=one.key)
    schema = index_schema(columns)
    everything = pa.array(np.arange(len(lines)))
    arrays = [pa.array([line[field.name] for line in lines], field.type).take(everything) for field in schema]
    table = pa.table(arrays, schema=schema)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, schema) as writer:
        writer.write_table(table, max_chunksize=CHUNK_ROWS)
    return sink.getvalue().to_pybytes()


def quarantine(objects, shards):
    planned = {one.id: one for one in objects}
    refusals = sorted((refusal for facts in shards for refusal in facts.quarantined), key=lambda refusal: refusal.id)
    lines = [{"id": r.id, "path": planned[r.id].path, "reason": r.reason, "detail": r.detail, "key": planned[r.id].key} for r in refusals]
    return "".join(text_of(line) + "\n" for line in lines).encode()


def manifest(name, card, up, columns, objects, shards):
    ordered = sorted(shards, key=lambda facts: facts.key)
    done, refused = (sum(len(part) for part in parts) for parts in zip(*((f.objects, f.quarantined) for f in ordered), strict=True))
    value = {
        "format": 2,
        "name": name,
        "key": plan_key(card, up, columns, objects),
        "card": card,
        "up": up,
        "columns": [column.describe() for column in columns],
        "counts": {"planned": len(objects), "done": done, "quarantined": refused, "rows": sum(facts.rows for facts in ordered)},
        "index": {"name": "index.arrow", "sha256": hashlib.sha256(index(objects, columns, shards)).hexdigest()},
        "quarantine": {"name": "quarantine.jsonl", "sha256": hashlib.sha256(quarantine(objects, shards)).hexdigest()},
        "shards": [{"key": facts.key, "sha256": facts.sha256, "rows": facts.rows, "bytes": facts.bytes} for facts in ordered],
    }
    return (text_of(value) + "\n").encode()
