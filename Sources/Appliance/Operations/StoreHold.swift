import Domain
import ServiceLifecycle
import Store

/// Ends the daemon when another process has taken its store over: what it goes on counting could
/// never be kept.
struct StoreHold: Service {
    let store: any Database

    func run() async throws {
        guard let lost = (store as? PostgresStore)?.lost else {
            try? await gracefulShutdown()
            return
        }
        try await cancelWhenGracefulShutdown {
            await lost.wait()
            guard Task.isCancelled else {
                throw StoreRefusal.inUse("Another process of Gatehouse has taken the store over.")
            }
        }
    }
}
