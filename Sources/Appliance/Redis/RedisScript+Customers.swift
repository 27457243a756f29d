/// The scripts of `CustomerMemory`. What `Customer+Shared.swift` says of the state, and
/// `AdmissionQuestion` of the question, is said there alone.
extension RedisScript {
    /// A version begins with the server's microseconds: higher than any before it, since none goes
    /// up a million times a second.
    ///
    /// KEYS: the customer, the mark. ARGV: state, lifetime, the epoch's mark.
    static let create = RedisScript(
        """
        if (redis.call('GET', KEYS[2]) or '') ~= ARGV[3] then return {} end
        local stored = redis.call('HMGET', KEYS[1], 'v', 's')
        if stored[1] then return stored end
        local time = redis.call('TIME')
        local version = time[1] .. string.format('%06d', time[2])
        redis.call('HSET', KEYS[1], 'v', version, 's', ARGV[1])
        redis.call('PEXPIRE', KEYS[1], ARGV[2])
        return {version}
        """)

    /// ARGV: now, lateness or -1, lifetime, version, state, name of a turn or "", its milliseconds.
    ///
    /// `t` is whose turn it is, and until when.
    static let replace = RedisScript(
        """
        local time, lateness = redis.call('TIME'), tonumber(ARGV[2])
        local server = time[1] * 1000 + math.floor(time[2] / 1000)
        if lateness >= 0 and math.abs(server - ARGV[1]) > lateness then return {'late', server} end
        local stored = redis.call('HMGET', KEYS[1], 'v', 's', 't')
        if not stored[1] then return {'absent'} end
        if stored[3] then
          local name, till = string.match(stored[3], '(%x+) (%d+)')
          if name ~= ARGV[6] and server < tonumber(till) then return {'held'} end
        end
        if stored[1] ~= ARGV[4] then
          if ARGV[6] ~= '' then
            local till = string.format('%d', server + ARGV[7])
            redis.call('HSET', KEYS[1], 't', ARGV[6] .. ' ' .. till)
          end
          return {'changed', stored[1], stored[2]}
        end
        redis.call('HSET', KEYS[1], 's', ARGV[5])
        if stored[3] then redis.call('HDEL', KEYS[1], 't') end
        redis.call('HINCRBY', KEYS[1], 'v', 1)
        redis.call('PEXPIRE', KEYS[1], ARGV[3])
        return {'stored'}
        """)

    /// `Customer.admit` once more, for one demand: what time alone changes, then a look at every
    /// limit, then a take from all. Whole numbers below 2^53 throughout, so that Lua's doubles are
    /// exact; `AdmissionQuestion` and the state's format see to it. Of blocks it knows how much is
    /// lent, and no more.
    static let admit = RedisScript(
        """
        local now, lateness, lifetime, metric, cost, resource, stock, windows, most, plan, key, own
          = unpack(cmsgpack.unpack(ARGV[1]))
        local time = redis.call('TIME')
        local server = time[1] * 1000 + math.floor(time[2] / 1000)
        if lateness >= 0 and math.abs(server - now) > lateness then return {'late', server} end
        local stored = redis.call('HMGET', KEYS[1], 'v', 's', 't')
        if not stored[1] then return {'absent'} end
        if stored[3] and server < tonumber(string.match(stored[3], ' (%d+)')) then
          return {'held'}
        end
        local state = cmsgpack.unpack(stored[2])
        if state[1] ~= 1 then return {'wide'} end
        local refused = {'refused', stored[1], stored[2]}

        -- The ledgers that this decision reads, by owner.
        local ledgers = {}
        local function ledger(owner)
          if not ledgers[owner] then
            local packed = state[3][owner]
            ledgers[owner] = packed and cmsgpack.unpack(packed) or {}
          end
          return ledgers[owner]
        end
        local function find(owner, name)
          for _, meter in ipairs(ledger(owner)) do
            if meter[1] == name then return meter end
          end
        end

        if #plan == 0 and not find('', metric) and #ledger('') >= most then return refused end

        -- Time. A clock that stepped back is followed; what has ended gives itself back.
        if now < state[2] - 1000 then
          state[2] = now
          state[10] = math.min(state[10], now + 1000)
          for owner in pairs(state[3]) do
            for _, meter in ipairs(ledger(owner)) do
              if meter[11] - now > 1000 then meter[11] = now end
              if meter[14] - now > 1000 then meter[14] = now end
            end
          end
        end
        state[2] = math.max(state[2], now)
        local function endHold(owner, entry)
          local meter = find(owner, entry[4])
          if meter then meter[8] = math.max(0, meter[8] - entry[5]) end
        end
        local function removeEnded(at, isHeld)
          if state[at + 1] == '' or now < state[at] then return end
          local live = {}
          for _, entry in ipairs(cmsgpack.unpack(state[at + 1])) do
            if now < entry[7] then
              live[#live + 1] = entry
            elseif isHeld then
              endHold('', entry)
              if entry[3] ~= '' then endHold(entry[3], entry) end
            end
          end
          state[at] = live[1] and live[1][7] or 0
          state[at + 1] = live[1] and cmsgpack.pack(live) or ''
        end
        removeEnded(5, true)
        removeEnded(7, false)

        -- What is used of the rate that begins there in a meter: tokens, rest and since when.
        local function drained(meter, at, bound, period)
          local tokens, rest, moment = meter[at], meter[at + 1], meter[at + 2]
          if moment - now > 1000 then moment = now end
          local elapsed = math.max(0, now - moment)
          if elapsed > 0 and tokens + rest > 0 then
            local part = math.fmod(elapsed, period)
            local whole = (elapsed - part) / period * bound
            local partRest = math.fmod(part * bound, period)
            tokens = tokens - whole - (part * bound - partRest) / period
            rest = rest - partRest
            if rest < 0 then tokens, rest = tokens - 1, rest + period end
            if tokens < 0 then tokens, rest = 0, 0 end
          end
          return tokens, rest, math.max(moment, now)
        end
        local rates = {{9, 60000}, {12, 1000}}
        local fresh = {metric, windows[1], 0, windows[2], 0, windows[3], 0, 0, 0, 0, 0, 0, 0, 0, 0}

        local function hasRoom(owner, rules)
          if #rules == 0 then return true end
          local meter = find(owner, metric) or fresh
          local asked = cost + meter[15]
          for number, rate in ipairs(rates) do
            local bound, burst = unpack(rules[number])
            if bound then
              local tokens, rest = drained(meter, rate[1], bound, rate[2])
              if tokens + asked + (rest > 0 and 1 or 0) > burst then return false end
            end
          end
          for _, quota in ipairs(rules[3]) do
            local window, bound = unpack(quota)
            local used = meter[2 * window] >= windows[window] and meter[2 * window + 1] or 0
            if used + meter[8] + asked > bound then return false end
          end
          return true
        end
        if not hasRoom('', plan) then return refused end
        if key ~= '' and not hasRoom(key, own) then return refused end
        if stock >= 0 and (state[4][resource] or 0) >= stock then return refused end

        local function take(owner, rules)
          local meter = find(owner, metric)
          if not meter then
            meter = {unpack(fresh)}
            table.insert(ledger(owner), meter)
          end
          for number, rate in ipairs(rates) do
            local bound = rules[number] and rules[number][1]
            if bound then
              local at = rate[1]
              local tokens, rest, moment = drained(meter, at, bound, rate[2])
              meter[at], meter[at + 1], meter[at + 2] = tokens + cost, rest, moment
            end
          end
          for window = 1, 3 do
            local at = 2 * window
            if windows[window] > meter[at] then meter[at], meter[at + 1] = windows[window], 0 end
            meter[at + 1] = math.min(meter[at + 1] + cost, 9007199254740992)
          end
        end
        if cost > 0 then
          take('', plan)
          if key ~= '' then take(key, own) end
        end
        if resource ~= '' then state[4][resource] = (state[4][resource] or 0) + 1 end

        for owner, meters in pairs(ledgers) do
          if owner == '' or #meters > 0 then state[3][owner] = cmsgpack.pack(meters) end
        end
        redis.call('HSET', KEYS[1], 's', cmsgpack.pack(state))
        redis.call('HINCRBY', KEYS[1], 'v', 1)
        redis.call('PEXPIRE', KEYS[1], lifetime)
        return {'granted', stored[1], stored[2]}
        """)
}
