/// Which segments are mapped, over what, and which of their places are taken.
///
/// A segment over memory stands where the disk was full. A place is looked for in the file first
/// and as low as can be, so that the upper segments run empty and memory is left for the file.
struct CounterSegments {
    enum Backing { case file, memory }

    static let placesEach = CounterMapping.segmentBytes / CounterSlot.bytes

    fileprivate struct Segment {
        let backing: Backing
        /// A bit for each place, 1 where it is taken.
        var taken = [UInt64](repeating: 0, count: placesEach / 64)
        var count = 0
    }

    /// By their place in the range of addresses; nil where nothing is mapped.
    private var all: [Segment?] = []
    /// No segment of the file below this one has room.
    private var lowestRoom = 0

    /// Segments in the range, the empty ones between others too.
    var count: Int { all.count }
    var mapped: Int { all.count { $0 != nil } }
    var places: Int { all.reduce(0) { $0 + ($1?.count ?? 0) } }
    var hasMemory: Bool { all.contains { $0?.backing == .memory } }

    func isMapped(_ segment: Int) -> Bool { segment < all.count && all[segment] != nil }

    /// A free place, taken from here on. Nil when all are taken.
    mutating func take(_ backing: Backing) -> Int? {
        var segment = backing == .file ? lowestRoom : 0
        while segment < all.count {
            if all[segment]?.backing == backing, let place = all[segment]?.take() {
                if backing == .file { lowestRoom = segment }
                return segment * Self.placesEach + place
            }
            segment += 1
        }
        if backing == .file { lowestRoom = all.count }
        return nil
    }

    mutating func giveBack(_ place: Int) {
        let segment = place / Self.placesEach
        all[segment]?.giveBack(place % Self.placesEach)
        lowestRoom = min(lowestRoom, segment)
    }

    /// The lowest part of the range that nothing is mapped into.
    var nextFree: Int { all.firstIndex { $0 == nil } ?? all.count }

    mutating func insert(_ backing: Backing, at segment: Int) {
        while all.count <= segment { all.append(nil) }
        all[segment] = Segment(backing: backing)
        lowestRoom = min(lowestRoom, segment)
    }

    /// Takes out what is not needed: segments over memory that are free, and free ones at the end
    /// of the file while another is left as a spare. Returns those that were taken out.
    mutating func compact() -> [Int] {
        var removed: [Int] = []
        for index in all.indices where all[index]?.backing == .memory && all[index]?.count == 0 {
            all[index] = nil
            removed.append(index)
        }
        var free = all.count { $0?.backing == .file && $0?.count == 0 }
        while free > 1, let last = all.lastIndex(where: { $0?.backing == .file }),
            all[last]?.count == 0
        {
            all[last] = nil
            removed.append(last)
            free -= 1
        }
        while let last = all.last, last == nil { all.removeLast() }
        return removed
    }

    /// How many segments the file must have room for.
    var fileCount: Int {
        (all.lastIndex { $0?.backing == .file }).map { $0 + 1 } ?? 0
    }
}

extension CounterSegments.Segment {
    fileprivate mutating func take() -> Int? {
        guard count < CounterSegments.placesEach,
            let word = taken.firstIndex(where: { $0 != .max })
        else { return nil }
        let bit = (~taken[word]).trailingZeroBitCount
        taken[word] |= 1 << UInt64(bit)
        count += 1
        return word * 64 + bit
    }

    fileprivate mutating func giveBack(_ place: Int) {
        let bit: UInt64 = 1 << UInt64(place % 64)
        guard taken[place / 64] & bit != 0 else { return }
        taken[place / 64] &= ~bit
        count -= 1
    }
}
