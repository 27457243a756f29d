import ServiceLifecycle

/// The listener of a node that shares its customers. It takes nobody in before it can serve them,
/// so that while a node starts again requests go to the others, or wait in systemd's socket.
///
/// Not for ever: whoever then asks a node that cannot serve is told why.
struct OpeningListener: Service {
    /// Some fifty times what it takes beside other nodes and a Redis that are there.
    private static let patience: Duration = .seconds(5)
    private static let pause: Duration = .milliseconds(20)

    let base: any Service
    /// Why it cannot serve yet; empty when it can.
    let missing: @Sendable () -> [String]

    func run() async throws {
        await cancelWhenGracefulShutdown {
            let end = ContinuousClock.now + Self.patience
            while !missing().isEmpty, ContinuousClock.now < end {
                do { try await Task.sleep(for: Self.pause) } catch { return }
            }
        }
        try await base.run()
    }
}
