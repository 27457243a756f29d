import Domain
import Store

/// Which of the nodes that share a store are dead, for `gatehouse check`.
enum NodeFindings {
    /// What a node's clock may be off by. Whose beat is older is looked at twice.
    private static let quietMax: Duration = .seconds(60)
    /// One that lives beats each second.
    private static let pause: Duration = .seconds(3)

    /// Empty where there are no nodes, and where the store cannot be opened, which is a finding of
    /// its own. Changes nothing.
    static func all(
        _ configuration: Configuration, at now: Timestamp
    ) async throws -> [Examination.Finding] {
        guard configuration.isOnPostgres else { return [] }
        let store: PostgresStore
        do throws(StoreRefusal) {
            store = try PostgresStore(
                url: configuration.store.url, passwordFile: configuration.store.passwordFile,
                readerCount: 1, migrates: false)
        } catch {
            return []
        }
        defer { store.close() }
        let quiet = try await nodes(store).filter { now - $0.beatAt > quietMax }
        guard !quiet.isEmpty else { return [] }
        try await Task.sleep(for: pause)
        let beats = Dictionary(
            uniqueKeysWithValues: try await nodes(store).map { ($0.name, $0.beat) })
        return quiet.filter { beats[$0.name] == $0.beat }.map(finding)
    }

    private static func nodes(_ store: PostgresStore) async throws(Problem) -> [Nodes.Entry] {
        try await store.read { db throws(Problem) in try db.nodes.list() }
    }

    private static func finding(_ node: Nodes.Entry) -> Examination.Finding {
        Examination.Finding(
            severity: .fault,
            what: "Node \(node.name) has not been heard of since \(node.beatAt), and did not take "
                + "its leave: the store may lack what it counted last.",
            remedy: "Start it again with its data directory, which has that count. If the "
                + "directory is lost, so is the count; the node is forgotten after a day.")
    }
}
