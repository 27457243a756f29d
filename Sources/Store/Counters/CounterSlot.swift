import Domain

/// One place of the counter file: 16 words of 8 bytes, 128 bytes in all. Pure: words in, words out.
///
///     0, 1   the lanes of even and of odd batches (`CounterLane`)
///     2      checksum of words 3 … 15; 0 where the place is free
///     3      generation (bits 0 … 7), length of the metric (8 … 15), "has a key" (16)
///     4      hour         5, 6   user         7, 8   key, or 0
///     9 … 13 metric, UTF-8, filled up with 0           14, 15   0
///
/// What an add touches is in the first cache line. A place is aligned to its size, so it lies in
/// one sector of a disk.
///
/// The checksum is FNV-1a of 64 bits, not CRC-32: what it must tell apart is not bursts of flipped
/// bits but a mix of two headers that were each right. There no polynomial helps, only length: one
/// mix in 2^64 passes. It needs no table, and an open is rare.
enum CounterSlot {
    static let words = 16
    static let bytes = words * 8
    static let metricBytesMax = 40

    enum Word {
        static let checksum = 2
        static let about = 3
        static let hour = 4
        static let user = 5
        static let key = 7
        static let metric = 9
    }

    /// One store of one word.
    struct Write: Equatable {
        let word: Int
        let value: UInt64
    }

    static func generation(about: UInt64) -> UInt8 { UInt8(truncatingIfNeeded: about) }

    /// Stores what makes a free place this key's, in this order, whatever stood there: after any
    /// number of these stores the place reads as free or as the key's with nothing counted. The
    /// lanes go first, and should an older one be seen beside the new header (a power cut can keep
    /// either), its generation is not the header's. Nothing for a metric that is too long.
    ///
    /// Without memory of its own: where each request is another customer's, each opens a place.
    static func open(_ key: UsageDelta.Key, generation: UInt8, store: (Write) -> Void) {
        guard key.metric.utf8.count <= metricBytesMax else { return }
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: words - Word.about) { header in
            fill(header, with: key, generation: generation)
            for write in closing { store(write) }
            for (at, value) in header.enumerated() {
                store(Write(word: Word.about + at, value: value))
            }
            store(Write(word: Word.checksum, value: checksum(of: header)))
        }
    }

    /// What makes a place free. The header stays, without its checksum: it holds the generation.
    static let closing = [
        Write(word: 0, value: 0), Write(word: 1, value: 0), Write(word: Word.checksum, value: 0),
    ]

    /// Whose place it is; nil for one that is free or torn.
    static func key(_ word: (Int) -> UInt64) -> UsageDelta.Key? {
        let header = (Word.about..<words).map(word)
        guard word(Word.checksum) == checksum(of: header) else { return nil }
        let about = word(Word.about)
        let length = Int(about >> 8 & 0xFF)
        guard length <= metricBytesMax else { return nil }
        let metric = (0..<length).map { at in
            UInt8(truncatingIfNeeded: word(Word.metric + at / 8) >> UInt64(at % 8 * 8))
        }
        return UsageDelta.Key(
            user: UserID(high: word(Word.user), low: word(Word.user + 1)),
            key: about >> 16 & 1 == 1
                ? APIKeyID(high: word(Word.key), low: word(Word.key + 1)) : nil,
            metric: String(decoding: metric, as: UTF8.self),
            hour: Int64(bitPattern: word(Word.hour)))
    }

    /// Words 3 … 15.
    private static func fill(
        _ header: UnsafeMutableBufferPointer<UInt64>, with key: UsageDelta.Key, generation: UInt8
    ) {
        header.initialize(repeating: 0)
        header[0] =
            UInt64(generation) | UInt64(key.metric.utf8.count) << 8 | (key.key == nil ? 0 : 1) << 16
        header[Word.hour - Word.about] = UInt64(bitPattern: key.hour)
        header[Word.user - Word.about] = key.user.high
        header[Word.user + 1 - Word.about] = key.user.low
        header[Word.key - Word.about] = key.key?.high ?? 0
        header[Word.key + 1 - Word.about] = key.key?.low ?? 0
        for (at, byte) in key.metric.utf8.enumerated() {
            header[Word.metric - Word.about + at / 8] |= UInt64(byte) << UInt64(at % 8 * 8)
        }
    }

    /// Never 0, which marks a free place.
    static func checksum(of header: some Sequence<UInt64>) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for word in header {
            for shift in stride(from: UInt64(0), to: 64, by: 8) {
                hash = (hash ^ (word >> shift & 0xFF)) &* 0x100_0000_01B3
            }
        }
        return max(1, hash)
    }
}

/// What one batch has counted in one place, in one word: a signed delta of 40 bits, the low 16 bits
/// of the batch's number, the generation of the place (8 bits).
///
/// 40 bits hold 549,755 of the largest cost there is (1,000,000) in one batch.
struct CounterLane: Equatable {
    let delta: Int64
    let batch: UInt16
    let generation: UInt8

    /// Nil when the delta does not fit.
    init?(delta: Int64, batch: UInt64, generation: UInt8) {
        guard (Self.least...Self.most).contains(delta) else { return nil }
        self.delta = delta
        self.batch = UInt16(truncatingIfNeeded: batch)
        self.generation = generation
    }

    init(word: UInt64) {
        delta = Int64(bitPattern: word) >> 24
        batch = UInt16(truncatingIfNeeded: word >> 8)
        generation = UInt8(truncatingIfNeeded: word)
    }

    var word: UInt64 {
        UInt64(bitPattern: delta << 24) | UInt64(batch) << 8 | UInt64(generation)
    }

    /// The delta, if it is that batch's and was counted for the header beside it; else 0.
    func delta(of batch: UInt64, generation: UInt8) -> Int64 {
        self.batch == UInt16(truncatingIfNeeded: batch) && self.generation == generation ? delta : 0
    }

    static let most: Int64 = 1 << 39 - 1
    static let least: Int64 = -(1 << 39)
}
