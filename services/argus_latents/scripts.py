"""What Redis does in one go, in its own language.

Keys, all under one hash tag so that a Redis cluster keeps them together:

- `totals`, a hash: `generation` (drawn when the store began), `number` (of the last change),
  `entries`, `bytes`;
- `entries`, a hash: an entry's text by its key; `sizes`, a hash: its bytes; `expiry`, a sorted
  set: when it expires, in seconds since 1970;
- `journal`, a stream whose ids are the changes' numbers, so that a gap shows;
- `latents:KEY`, a hash: a frame by step; Redis lets it go when the entry expires.

Where `totals` is lost, all is begun anew. Scripts that free memory run even where there is none
left (Redis 7).
"""

from __future__ import annotations

_COMMON = """
local totals, entries, sizes, expiry, journal = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
if redis.call('HSETNX', totals, 'generation', ARGV[1]) == 1 then
    redis.call('DEL', entries, sizes, expiry, journal)
end
local function note(...)
    local number = redis.call('HINCRBY', totals, 'number', 1)
    redis.call('XADD', journal, 'MAXLEN', '~', ARGV[2], number .. '-0', ...)
end
local function remove(key)
    local bytes = redis.call('HGET', sizes, key)
    redis.call('ZREM', expiry, key)
    redis.call('HDEL', sizes, key)
    if redis.call('HDEL', entries, key) == 1 then
        redis.call('HINCRBY', totals, 'bytes', -(bytes or 0))
        redis.call('HINCRBY', totals, 'entries', -1)
        note('kind', 'gone', 'key', key)
    end
end
"""
_FREEING = "#!lua flags=allow-oom" + _COMMON

PUT = (
    "#!lua"
    + _COMMON
    + """
local key, entry, bytes, most = ARGV[3], ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local now, expires = ARGV[7], ARGV[8]
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', expiry, '-inf', now, 'LIMIT', 0, 64)) do
    remove(gone)
end
if redis.call('HEXISTS', entries, key) == 1 then
    return 1
end
if tonumber(redis.call('HGET', totals, 'bytes') or '0') + bytes > most then
    return 0
end
for i = 9, #ARGV, 2 do
    redis.call('HSET', KEYS[6], ARGV[i], ARGV[i + 1])
end
redis.call('PEXPIRE', KEYS[6], math.max(1, math.floor((expires - now) * 1000)))
redis.call('HSET', entries, key, entry)
redis.call('HSET', sizes, key, bytes)
redis.call('ZADD', expiry, expires, key)
redis.call('HINCRBY', totals, 'bytes', bytes)
redis.call('HINCRBY', totals, 'entries', 1)
note('kind', 'added', 'key', key)
return 1
"""
)
"""1 where it is kept, 0 where it does not fit."""

DELETE = (
    _FREEING
    + """
for i = 3, #ARGV do
    remove(ARGV[i])
    redis.call('DEL', KEYS[i + 3])
end
"""
)

USED = _FREEING + "note('kind', 'used', 'key', ARGV[3], 'step', ARGV[4], 'at', ARGV[5])\n"

LEAD = """#!lua flags=allow-oom
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then
    return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
"""1 where it is led by who asks."""
