import Domain
import Glibc
import Support

@testable import Store

/// A counter file in a folder of its own.
struct CounterFolder {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    var path: String { folder.path + "/counters" }

    /// The file after an orderly first start, with batch 1 open.
    func open(segmentsMax: Int = CounterFile.segmentsMax) throws -> CounterFile {
        let file = try CounterFile(path: path, segmentsMax: segmentsMax)
        file.reset(openingBatch: 1)
        return file
    }

    /// What a process that starts now would find.
    func recovered(after folded: UInt64) throws -> [UsageDelta.Key: Int64] {
        let deltas = try CounterFile(path: path).recover(after: FoldMark(batch: folded))
        return Dictionary(uniqueKeysWithValues: deltas.map { ($0.key, $0.value) })
    }
}

extension UsageDelta.Key {
    /// Customer `number`'s requests in an hour of 2026-11-23.
    static func sample(
        _ number: UInt64, key: UInt64? = nil, metric: String = "requests", hour: Int64 = 498_732
    ) -> UsageDelta.Key {
        UsageDelta.Key(
            user: UserID(high: 0x0199_0000_0000_7000, low: number),
            key: key.map { APIKeyID(high: 0x0199_0000_0000_7001, low: $0) }, metric: metric,
            hour: hour)
    }
}

extension CounterSlot {
    /// The stores that open a place; nil for a metric that is too long.
    static func opening(_ key: UsageDelta.Key, generation: UInt8) -> [Write]? {
        var writes: [Write] = []
        open(key, generation: generation) { writes.append($0) }
        return writes.isEmpty ? nil : writes
    }
}
