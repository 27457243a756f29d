import Domain

extension CounterFile {
    /// What a process that ended had counted and not folded, by key; sorted, without zeros.
    ///
    /// For the start, before `reset`, and it changes nothing: it can be asked again. The caller
    /// folds the result as batch `mark.batch + 2`, since it is the sum of both batches that can be
    /// missing, and then resets, opening `mark.batch + 3`. Killed before the fold, the next start
    /// finds the same; killed after it, nothing.
    ///
    /// - Parameter mark: what the store has.
    /// - Throws: `damaged` when the disk cannot be read.
    package func recover(after mark: FoldMark) throws(StoreRefusal) -> [Delta] {
        var sums: [Key: Int64] = [:]
        for segment in 0..<mapping.segmentsMax {
            guard let words = try mapping.read(segment) else { break }
            Self.collect(words, after: mark, into: &sums)
        }
        return sums.filter { $0.value != 0 }.map { Delta(key: $0.key, value: $0.value) }
            .sorted { Self.order($0.key) < Self.order($1.key) }
    }

    /// Adds up the two batches after the mark, of any number of places.
    static func collect(
        _ words: [UInt64], after mark: FoldMark, into sums: inout [Key: Int64]
    ) {
        for start in stride(from: 0, to: words.count, by: CounterSlot.words) {
            let generation = CounterSlot.generation(about: words[start + CounterSlot.Word.about])
            func delta(_ batch: UInt64) -> Int64 {
                CounterLane(word: words[start + Int(batch & 1)])
                    .delta(of: batch, generation: generation)
            }
            let (first, second) = (delta(mark.batch + 1), delta(mark.batch + 2))
            // Nearly every place of a file is free or folded: only the others' headers are read.
            guard first != 0 || second != 0, let key = CounterSlot.key({ words[start + $0] })
            else { continue }
            // Sums of 40 bits: all the places there can be do not fill 64.
            sums[key, default: 0] +=
                mark.has(key.user, of: mark.batch + 1) ? second : first + second
        }
    }

    private static func order(_ key: Key) -> (UserID, APIKeyID, String, Int64) {
        (key.user, key.key ?? APIKeyID(high: 0, low: 0), key.metric, key.hour)
    }
}
