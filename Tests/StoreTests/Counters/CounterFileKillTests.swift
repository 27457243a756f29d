import Glibc
import Support
import Testing

/// Real processes, really killed.
@Suite("Counter file, killed")
struct CounterFileKillTests {
    @Test(
        "kill -9 again and again loses no count that was acknowledged, and counts none twice",
        arguments: [UInt64](1...6))
    func killed(seed: UInt64) async throws {
        let folder = try TemporaryFolder()
        let load = CounterLoad(folder: folder.path, seed: seed)
        try await load.prepare()
        for round in UInt64(0)..<3 {
            await #expect(processExitsWith: .signal(SIGKILL)) {
                [path = folder.path as String, seed = (seed * 100 + round) as UInt64] in
                try await CounterLoad(folder: path, seed: seed).runUntilKilled()
            }
        }
        let logged = load.logged()
        let found = try await load.settle()
        #expect(logged.count > 4)
        for (key, sum) in logged {
            let value = found[key] ?? 0
            #expect(sum.acknowledged <= value && value <= sum.attempted, "\(key.metric), \(seed)")
        }
        #expect(try await load.settle() == found)
    }
}
