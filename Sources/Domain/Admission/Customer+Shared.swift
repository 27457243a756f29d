/// What several nodes share of a customer, as one value: all but the standing, which each has from
/// the store, and the places in a node's own journal. MessagePack, which scripts in Redis read too:
///
///     state        [format, clock, {owner: ledger}, {resource: count},
///                   end of the first reservation, reservations, end of the first lease, leases,
///                   blocks, moment from which blocks are lent]
///     owner        "" for the account, else the key's id; every id is 16 bytes
///     ledger       packed [meter …]
///     meter        [metric, hour, used, day, used, month, used, held,
///                   minute's tokens, rest, moment, second's tokens, rest, moment, lent]
///     reservations packed [[id, user, key or "", metric, amount, created, end] …]; "" for none
///     leases       packed [[id, user, key or "", resource, token, created, end] …]; "" for none
///     blocks       packed [[id, key or "", metric, amount, created, end] …]; "" for none
///
/// Hours, days and months are windows' indexes, moments are milliseconds. What was used of a rate
/// is tokens × period + rest. Packed is what a decision can pass over: a script reads the ledgers
/// that it needs, and a table only once something in it has ended.
extension Customer {
    private enum Format {
        /// Every number is one that a double holds exactly.
        static let exact: Int64 = 1
        /// Some are not: scripts leave such a customer to the nodes.
        static let wide: Int64 = 2
        static let fields = 10
    }

    /// What says nothing is left out: keys without a meter, resources that are down to none.
    package func shared() -> [UInt8] {
        let ledgers = keys.filter { !$0.value.meters.isEmpty }.sorted { $0.key < $1.key }
        let counts = stocks.filter { $0.value != 0 }.sorted { $0.key < $1.key }
        var body = MessagePackWriter()
        body.integer(clock.milliseconds)
        body.map(ledgers.count + 1)
        body.string("")
        body.packed { account.share(in: &$0) }
        for (key, ledger) in ledgers {
            body.string(key)
            body.packed { ledger.share(in: &$0) }
        }
        body.map(counts.count)
        for (resource, count) in counts {
            body.string(resource)
            body.integer(count)
        }
        body.table(reservations.live) { $1.share(in: &$0) }
        body.table(leases.live) { $1.share(in: &$0) }
        body.entries(blocks) { $1.share(in: &$0) }
        body.integer(blocksFrom.milliseconds)
        var whole = MessagePackWriter(capacity: body.bytes.count + 2)
        whole.array(Format.fields)
        whole.integer(body.fitsDoubles ? Format.exact : Format.wide)
        whole.append(body)
        return whole.bytes
    }

    /// Takes over what a node has shared: everything but the standing is replaced, and places in
    /// the journal are gone. False when the bytes are no such state; then nothing has changed.
    package mutating func adopt(_ shared: [UInt8]) -> Bool {
        do throws(Unreadable) {
            self = try Customer(standing: standing, shared)
            return true
        } catch {
            return false
        }
    }

    private init(standing: Standing?, _ shared: [UInt8]) throws(Unreadable) {
        self.init(standing: standing)
        var reader = MessagePackReader(shared[...])
        guard try reader.array() == Format.fields else { throw Unreadable() }
        _ = try reader.integer(in: Format.exact...Format.wide)
        clock = try reader.moment()
        let ledgers = try reader.members { reader throws(Unreadable) in
            let owner: APIKeyID? = try reader.id()
            var packed = try reader.packed()
            return (owner, try Ledger(&packed))
        }
        guard let account = ledgers[nil] else { throw Unreadable() }
        self.account = account
        for case (let key?, let ledger) in ledgers { keys[key] = ledger }
        stocks = try reader.members { reader throws(Unreadable) in
            (try reader.name(), try reader.integer(in: 0...JSON.integerMax))
        }
        let held = try reader.table { reader throws(Unreadable) in try Reservation(&reader) }
        for reservation in held { reservations.add(reservation) }
        let used = try reader.table { reader throws(Unreadable) in try Lease(&reader) }
        for lease in used { leases.add(lease) }
        blocks = try reader.entries { reader throws(Unreadable) in try Block(&reader) }
        blocksFrom = try reader.moment()
        try reader.end()
        guard !isOutOfBalance else { throw Unreadable() }
    }

    /// A meter holds more than live reservations do, or has lent other than live blocks have. As
    /// long as none does, sums have bounds, and what ends gives back what it took.
    private var isOutOfBalance: Bool {
        var rest = self
        for reservation in reservations.live { rest.endHold(of: reservation) }
        for block in blocks { rest.endLoan(of: block) }
        let ledgers = [rest.account] + rest.keys.values
        return ledgers.contains { $0.meters.contains { $0.held > 0 || $0.lent != 0 } }
    }
}

private typealias Unreadable = MessagePackReader.Unreadable

extension Ledger {
    fileprivate func share(in writer: inout MessagePackWriter) {
        writer.array(meters.count)
        for meter in meters { meter.share(in: &writer) }
    }

    fileprivate init(_ reader: inout MessagePackReader) throws(Unreadable) {
        self.init()
        for _ in 0..<(try reader.array()) {
            guard add(try Meter(&reader)) else { throw Unreadable() }
        }
        try reader.end()
    }
}

extension Meter {
    private static var fields: Int { 15 }

    fileprivate func share(in writer: inout MessagePackWriter) {
        writer.array(Self.fields)
        writer.string(metric)
        for window in [Window.hour, .day, .month] {
            writer.integer(tally[window].index)
            writer.integer(tally[window].used)
        }
        writer.integer(held)
        for period in [Limit.RatePeriod.minute, .second] {
            let tokens = self[period].backlog / Int128(period.milliseconds)
            // No burst is above 2^53, so neither is this.
            writer.integer(Int64(clamping: tokens))
            writer.integer(Int64(self[period].backlog % Int128(period.milliseconds)))
            writer.integer(self[period].updatedAt.milliseconds)
        }
        writer.integer(lent)
    }

    fileprivate init(_ reader: inout MessagePackReader) throws(Unreadable) {
        guard try reader.array() == Self.fields else { throw Unreadable() }
        let metric = try reader.name()
        let hour = (index: try reader.hour(), used: try reader.units())
        let day = (index: try reader.integer(), used: try reader.units())
        let month = (index: try reader.integer(), used: try reader.units())
        let heldMax = Int64(Reservation.perCustomerMax) * JSON.integerMax
        let held = try reader.integer(in: 0...heldMax)
        let minute = try reader.rate(.minute)
        let second = try reader.rate(.second)
        let lentMax = Int64(Block.perCustomerMax) * Block.amounts.upperBound
        let lent = try reader.integer(in: 0...lentMax)
        guard let tally = Tally(metric: metric, hour: hour, day: day, month: month) else {
            throw Unreadable()
        }
        self.init(tally: tally, minute: minute, second: second, held: held, lent: lent)
    }
}

extension Reservation {
    fileprivate func share(in writer: inout MessagePackWriter) {
        writer.array(7)
        writer.string(id)
        writer.string(userID)
        writer.string(keyID)
        writer.string(metric)
        writer.integer(amount)
        writer.integer(createdAt.milliseconds)
        writer.integer(expiresAt.milliseconds)
    }

    fileprivate init(_ reader: inout MessagePackReader) throws(Unreadable) {
        guard try reader.array() == 7 else { throw Unreadable() }
        self.init(
            id: try reader.someID(), userID: try reader.someID(), keyID: try reader.id(),
            metric: try reader.name(), amount: try reader.units(),
            createdAt: try reader.moment(), expiresAt: try reader.moment())
    }
}

extension Lease {
    fileprivate func share(in writer: inout MessagePackWriter) {
        writer.array(7)
        writer.string(id)
        writer.string(userID)
        writer.string(keyID)
        writer.string(resource)
        writer.integer(fencingToken)
        writer.integer(createdAt.milliseconds)
        writer.integer(expiresAt.milliseconds)
    }

    fileprivate init(_ reader: inout MessagePackReader) throws(Unreadable) {
        guard try reader.array() == 7 else { throw Unreadable() }
        self.init(
            id: try reader.someID(), userID: try reader.someID(), keyID: try reader.id(),
            resource: try reader.name(), fencingToken: try reader.integer(),
            createdAt: try reader.moment(), expiresAt: try reader.moment())
    }
}

extension Block {
    fileprivate func share(in writer: inout MessagePackWriter) {
        writer.array(6)
        writer.string(id)
        writer.string(keyID)
        writer.string(metric)
        writer.integer(amount)
        writer.integer(createdAt.milliseconds)
        writer.integer(expiresAt.milliseconds)
    }

    fileprivate init(_ reader: inout MessagePackReader) throws(Unreadable) {
        guard try reader.array() == 6 else { throw Unreadable() }
        self.init(
            id: try reader.someID(), keyID: try reader.id(), metric: try reader.name(),
            amount: try reader.integer(in: Self.amounts), createdAt: try reader.moment(),
            expiresAt: try reader.moment())
    }
}

extension MessagePackWriter {
    fileprivate mutating func table<Entry: Expiring>(
        _ live: [Entry], _ write: (inout MessagePackWriter, Entry) -> Void
    ) {
        integer(live.first?.expiresAt.milliseconds ?? 0)
        entries(live, write)
    }

    fileprivate mutating func entries<Entry: Expiring>(
        _ live: [Entry], _ write: (inout MessagePackWriter, Entry) -> Void
    ) {
        guard !live.isEmpty else { return string("") }
        packed { writer in
            writer.array(live.count)
            for entry in live { write(&writer, entry) }
        }
    }
}

extension MessagePackReader {
    fileprivate mutating func table<Entry: Expiring>(
        _ read: (inout MessagePackReader) throws(Unreadable) -> Entry
    ) throws(Unreadable) -> [Entry] {
        let end = try integer()
        let live = try entries(read)
        guard end == live.first?.expiresAt.milliseconds ?? 0 else { throw Unreadable() }
        return live
    }

    fileprivate mutating func entries<Entry: Expiring>(
        _ read: (inout MessagePackReader) throws(Unreadable) -> Entry
    ) throws(Unreadable) -> [Entry] {
        var packed = try packed()
        var live: [Entry] = []
        if !packed.isAtEnd {
            for _ in 0..<(try packed.array()) {
                let entry = try read(&packed)
                if let last = live.last, last.expiresAt > entry.expiresAt { throw Unreadable() }
                live.append(entry)
            }
        }
        try packed.end()
        return live
    }

    /// A map, each of whose keys stands there once.
    fileprivate mutating func members<Key: Hashable, Value>(
        _ read: (inout MessagePackReader) throws(Unreadable) -> (Key, Value)
    ) throws(Unreadable) -> [Key: Value] {
        var found: [Key: Value] = [:]
        for _ in 0..<(try map()) {
            let (key, value) = try read(&self)
            guard found.updateValue(value, forKey: key) == nil else { throw Unreadable() }
        }
        return found
    }

    /// A metric or a resource.
    fileprivate mutating func name() throws(Unreadable) -> String {
        let bytes = try string()
        let fits = bytes.allSatisfy { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || byte == UInt8(ascii: "_")
        }
        guard fits, (1...Limit.Kind.wordMax).contains(bytes.count) else { throw Unreadable() }
        return String(decoding: bytes, as: UTF8.self)
    }

    fileprivate mutating func someID<Noun>() throws(Unreadable) -> ID<Noun> {
        guard let id: ID<Noun> = try id() else { throw Unreadable() }
        return id
    }

    fileprivate mutating func moment() throws(Unreadable) -> Timestamp {
        Timestamp(milliseconds: try integer(in: Timestamp.writable))
    }

    /// The index of an hour in the years that a moment can be in.
    fileprivate mutating func hour() throws(Unreadable) -> Int64 {
        let first = Timestamp(milliseconds: Timestamp.writable.lowerBound)
        let last = Timestamp(milliseconds: Timestamp.writable.upperBound)
        return try integer(in: Window.hour.index(of: first)...Window.hour.index(of: last))
    }

    fileprivate mutating func units() throws(Unreadable) -> Int64 {
        try integer(in: 0...JSON.integerMax)
    }

    fileprivate mutating func rate(
        _ period: Limit.RatePeriod
    ) throws(Unreadable) -> RateLimiter {
        let tokens = try integer(in: 0...Int64.max)
        let rest = try integer(in: 0...period.milliseconds - 1)
        return RateLimiter(
            backlog: Int128(tokens) * Int128(period.milliseconds) + Int128(rest),
            updatedAt: try moment())
    }
}
