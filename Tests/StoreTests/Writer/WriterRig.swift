import Domain
import Support
import Synchronization
import Testing

@testable import Store

/// A writer and its thread without the store around them: units are put into its queue one after
/// the other, in an order that tasks cannot promise.
final class WriterRig: Sendable {
    let writer: SQLiteWriter
    let path: String
    private let folder: TemporaryFolder
    private let thread: WorkThread
    private let answers = Mutex<[Int: Problem?]>([:])

    init(queue: Int = 1024) throws {
        let folder = try TemporaryFolder()
        let writer = SQLiteWriter(queueCapacity: queue)
        let path = "\(folder.path)/gatehouse.db"
        let thread = WorkThread(name: "rig") {
            do {
                let connection = try SQLiteFile.openWriter(path)
                try SQLiteSchema.migrate(connection, from: 0)
                writer.serve(connection)
            } catch {
                Issue.record(error)
            }
        }
        self.path = path
        self.folder = folder
        self.writer = writer
        self.thread = try #require(thread)
    }

    /// Puts a unit into the queue; its answer is among `answered` later.
    func submit(
        _ number: Int, _ body: @escaping @Sendable (any Connection) throws(Problem) -> Void
    ) {
        writer.submit(
            SQLiteWriter.Unit(
                run: { connection throws(Problem) in try body(connection) },
                finish: { problem in self.answers.withLock { $0[number] = .some(problem) } }))
    }

    /// The units that were answered with success.
    var succeeded: Set<Int> { answers.withLock { Set($0.filter { $0.value == nil }.keys) } }

    /// What a unit was answered with; nil for success, or when it has no answer yet.
    func problem(_ number: Int) -> Problem? { answers.withLock { $0[number] ?? nil } }

    /// Closes the queue and waits until the thread has served what was in it.
    func finish() {
        writer.close()
        thread.join()
    }
}
