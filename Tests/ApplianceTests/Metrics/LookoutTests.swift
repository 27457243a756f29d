import Domain
import Logging
import Store
import Support
import Testing

@testable import Appliance

/// A store that refuses at once, or never answers anybody who has not been cancelled.
private struct LostStore: Database {
    let hangs: Bool
    let enqueued = Wake()
    private let never = Wake()

    init(hangs: Bool) { self.hangs = hangs }

    func close() {}

    func read<Value: Sendable>(
        _ body: @escaping @Sendable (any Connection) throws(Problem) -> Value
    ) async throws(Problem) -> Value {
        if hangs { await never.wait() }
        throw Problem(.unavailable, "The store is away.")
    }

    func write<Value: Sendable>(
        _ body: @escaping @Sendable (any Connection) throws(Problem) -> Value
    ) async throws(Problem) -> Value {
        try await read(body)
    }
}

@Suite("Metrics without the store")
struct LookoutTests {
    // The limit: nobody waits for a store for ever.
    @Test(
        "a store that refuses or hangs is down, and the rest is told", .timeLimit(.minutes(5)),
        arguments: [false, true])
    func away(hangs: Bool) async throws {
        let folder = try TemporaryFolder()
        var configuration = Configuration()
        configuration.dataDirectory = folder.path
        let appliance = try Appliance(
            configuration: configuration, store: LostStore(hangs: hangs), clock: FakeClock().wall,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        defer { appliance.close() }
        let lookout = Lookout(appliance)
        async let _: Void = lookout.serve()
        let facts = await lookout.facts()
        let measurements = appliance.measurements(facts)
        let text = String(decoding: Exposition.write(measurements, as: .text), as: UTF8.self)
        #expect(text.contains("\ngatehouse_store_up 0\n"))
        #expect(
            text.contains(
                "\ngatehouse_gate_decisions_total{outcome=\"allowed\",limit=\"\",plan=\"\"} 0\n"))
        #expect(text.contains("\nprocess_threads "))
        #expect(!text.contains("gatehouse_users"))
    }
}
