import Domain
import Store
import Synchronization

/// The one backup that the daemon is making, if it is.
final class BackupRun: Sendable {
    private struct State {
        var isRunning = false
        var stage = BackupStage.copying
        var done: Int64 = 0
        var all: Int64 = 0
    }

    private let state = Mutex(State())

    /// False when one is running already.
    func begin() -> Bool {
        state.withLock { state in
            guard !state.isRunning else { return false }
            state = State(isRunning: true)
            return true
        }
    }

    func end() { state.withLock { $0.isRunning = false } }

    func report(_ stage: BackupStage, _ done: Int64, _ all: Int64) {
        state.withLock { state in
            state.stage = stage
            state.done = done
            state.all = all
        }
    }

    /// `{"running", "stage", "done", "all"}`: pages or bytes of that stage.
    var json: JSON {
        let state = state.withLock { $0 }
        return .object([
            JSON.Member("running", .bool(state.isRunning)),
            JSON.Member("stage", .string(state.stage.rawValue)),
            JSON.Member("done", .integer(state.done)),
            JSON.Member("all", .integer(state.all)),
        ])
    }
}
