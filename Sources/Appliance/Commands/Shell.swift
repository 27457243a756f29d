import ArgumentParser
import Domain
import Glibc
import Store

/// An installation as a command sees it: the daemon's where one runs, since it owns the store, and
/// else the store itself, which no daemon can take meanwhile.
final class Shell {
    private let configuration: Configuration
    private let control: ControlClient
    private var stopped: (store: any Database, appliance: Appliance)?

    private init(_ configuration: Configuration) {
        self.configuration = configuration
        control = ControlClient(path: ControlListener.path(in: configuration.dataDirectory))
    }

    /// Opens an installation for the time of `body`.
    static func open<Value>(
        _ options: InstallationOptions, _ body: (Shell) async throws -> Value
    ) async throws -> Value {
        let shell = Shell(try options.configuration())
        defer { shell.close() }
        return try await body(shell)
    }

    /// - Throws: `Problem`, whoever did the work; `StoreRefusal`.
    func ask(_ order: ShellOrder, _ question: [JSON.Member]) async throws -> JSON {
        let question = JSON.object(question)
        if stopped == nil, let answer = control.post(order.path, question) {
            let json = try Self.parse(answer.body)
            guard answer.status < 300 else { throw Problem(status: answer.status, json) }
            return json
        }
        let appliance = try open()
        let origin = Origin(
            requestID: appliance.requestIDs.id(for: nil), address: nil, userAgent: nil)
        let answer = try await order.work(appliance, question, origin, appliance.clock.now())
        return try Self.parse(Array(answer.body.readableBytesView))
    }

    private static func parse(_ bytes: [UInt8]) throws(CommandRefusal) -> JSON {
        do throws(JSONParser.Failure) {
            return try JSONParser.parse(bytes, membersMax: ShellOrder.membersMax)
        } catch {
            throw CommandRefusal(.failed, "The daemon's answer cannot be read: \(error.reason).")
        }
    }

    /// The elements of a list, a page at a time.
    func each(
        of order: ShellOrder, _ question: [JSON.Member], _ body: ([JSON]) -> Void
    ) async throws {
        var before: String?
        repeat {
            let cursor = before.map { JSON.Member("before", .string($0)) }
            let page = try await ask(order, question + [cursor].compactMap { $0 })
            guard case .array(let items)? = page["items"] else { return }
            body(items)
            before = page["next_cursor"]?.string
        } while before != nil
    }

    private func open() throws -> Appliance {
        if let stopped { return stopped.appliance }
        guard configuration.isOnPostgres || SafeFile.exists(configuration.storeFile) else {
            throw CommandRefusal(
                .failed, "There is no store at \(configuration.storeFile). Run: gatehouse serve")
        }
        umask(0o077)
        let store = try configuration.openStore()
        do {
            var quiet = configuration.logger()
            quiet.logLevel = .critical
            let appliance = try Appliance(
                configuration: configuration, store: store, logger: quiet)
            stopped = (store, appliance)
            return appliance
        } catch {
            store.close()
            throw error
        }
    }

    private func close() {
        stopped?.appliance.close()
        stopped?.store.close()
    }
}

extension Problem {
    /// What a daemon answered.
    init(status: Int, _ json: JSON) {
        let code = json["code"]?.string.flatMap { Code(rawValue: $0) } ?? .internal
        self.init(code, json["detail"]?.string ?? "The daemon answered \(status).")
        guard case .array(let fields)? = json["errors"] else { return }
        errors = fields.map { field in
            Field(
                field["field"]?.string ?? "", field["code"]?.string ?? "",
                field["message"]?.string ?? "")
        }
    }
}
