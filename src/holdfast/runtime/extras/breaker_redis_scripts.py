"""The three steps of a shared breaker that must be whole, as scripts that Redis runs.

Rules: time is Redis's own.  A key that is missing is a closed breaker.  A round of trials is named by the microsecond in which it
began, so that a late result never meets the round of somebody else.  Every key expires by itself.
"""

# What all three begin with.  `again` opens (once more) at a moment, with a wait that grows; ARGV[1..4]: first wait, growth,
# longest wait, jitter factor; times in ms.
_HEAD = """
local key = KEYS[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function get(field) return redis.call('HGET', key, field) end
local function stand(wait, until_ms)
  redis.call('HSET', key, 'state', 'open', 'until', until_ms, 'wait', wait)
  redis.call('PEXPIRE', key, math.max(1, until_ms - now) + 86400000)
  return until_ms
end
local function open(at)
  local wait = tonumber(get('wait') or '0')
  if wait > 0 then wait = math.min(wait * ARGV[2], tonumber(ARGV[3])) else wait = tonumber(ARGV[1]) end
  return stand(wait, at + math.floor(wait * ARGV[4]))
end
local state = get('state') or 'closed'
"""

# A call wants to begin; ARGV[5..7]: trials, trials at once, longest round.  Gives {verdict, round, ms to wait}.
ASK = _HEAD + """
if state == 'closed' then return {'closed', '', 0} end
local until_ms = tonumber(get('until'))
if state == 'half_open' and now >= until_ms then
  until_ms = open(until_ms)
  state = 'open'
end
if state == 'open' then
  if now < until_ms then return {'open', '', until_ms - now} end
  redis.call('HSET', key, 'state', 'half_open', 'round', time[1] .. '.' .. time[2], 'until', now + ARGV[7],
    'given', 0, 'flying', 0, 'good', 0, 'bad', 0, 'slow', 0)
  redis.call('PEXPIRE', key, ARGV[7] + 86400000)
end
if tonumber(get('given')) >= tonumber(ARGV[5]) or tonumber(get('flying')) >= tonumber(ARGV[6]) then
  return {'half_open', '', 0}
end
redis.call('HINCRBY', key, 'given', 1)
redis.call('HINCRBY', key, 'flying', 1)
return {'trial', get('round'), 0}
"""

# A trial ended; ARGV[5..11]: round, outcome, slow (0 or 1), trials, failures that open, slow ones that open, full round (0 or 1).
END = _HEAD + """
if state ~= 'half_open' or get('round') ~= ARGV[5] or now >= tonumber(get('until')) then return {'late', '', 0} end
redis.call('HINCRBY', key, 'flying', -1)
if ARGV[6] == 'ignored' then
  redis.call('HINCRBY', key, 'given', -1)
  return {'half_open', '', 0}
end
redis.call('HINCRBY', key, ARGV[6] == 'failure' and 'bad' or 'good', 1)
redis.call('HINCRBY', key, 'slow', ARGV[7])
local bad, slow = tonumber(get('bad')), tonumber(get('slow'))
local missing = ARGV[8] - bad - tonumber(get('good'))
if ARGV[11] == '1' and missing > 0 then return {'half_open', '', 0} end
if bad >= tonumber(ARGV[9]) or slow >= tonumber(ARGV[10]) then return {'open', '', open(now) - now} end
if bad + missing < tonumber(ARGV[9]) and slow + missing < tonumber(ARGV[10]) then
  redis.call('DEL', key)
  return {'closed', '', 0}
end
return {'half_open', '', 0}
"""

# One of the sharers saw too many failures, perhaps some time ago; ARGV[5..6]: its wait and what is left of it, ms.
TRIP = _HEAD + """
if state == 'closed' then return {'open', '', stand(tonumber(ARGV[5]), now + ARGV[6]) - now} end
return {state, '', 0}
"""
