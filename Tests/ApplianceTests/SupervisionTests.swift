import Domain
import Glibc
import Support
import Testing

@testable import Appliance

@Suite("Supervision")
struct SupervisionTests {
    private static let process: pid_t = 4711

    private static func watchdog(_ variables: [String: String]) -> Duration? {
        let socket = ["NOTIFY_SOCKET": "/run/notify"]
        return ServiceNotifier(
            environment: socket.merging(variables) { $1 }, process: process
        ).watchdogTimeout
    }

    @Test("the watchdog's period is ours only if it was set for us and there is whom to tell")
    func watchdogPeriod() {
        #expect(Self.watchdog(["WATCHDOG_USEC": "30000000"]) == .seconds(30))
        let ours = ["WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "4711"]
        #expect(Self.watchdog(ours) == .seconds(30))
        #expect(Self.watchdog(ours.merging(["WATCHDOG_PID": "1"]) { $1 }) == nil)
        #expect(Self.watchdog(ours.merging(["NOTIFY_SOCKET": ""]) { $1 }) == nil)
        #expect(Self.watchdog(ours.merging(["NOTIFY_SOCKET": "relative"]) { $1 }) == nil)
        for wrong in ["", "0", "-1", "soon"] {
            #expect(Self.watchdog(["WATCHDOG_USEC": wrong]) == nil)
        }
    }

    @Test("sockets that were passed to another process are not ours")
    func socketsOfAnother() throws {
        for variables in [
            [:], ["LISTEN_FDS": "1"], ["LISTEN_FDS": "1", "LISTEN_PID": "1"],
            ["LISTEN_PID": "4711"],
        ] {
            let found = try InheritedSockets.take(environment: variables, process: Self.process)
            #expect(found.api.isEmpty && found.named.isEmpty && found.address == nil)
        }
    }

    @Test("a number of sockets that cannot be is refused", arguments: ["-1", "65", "x", ""])
    func wrongCount(_ count: String) {
        let variables = ["LISTEN_FDS": count, "LISTEN_PID": "4711"]
        #expect(throws: InheritedSockets.Failure.self) {
            try InheritedSockets.take(environment: variables, process: Self.process)
        }
    }

    @Test("a socket named metrics is not for the API; any other is")
    func socketNames() {
        let sockets = InheritedSockets([
            .init(descriptor: 3, name: "gatehouse.socket"), .init(descriptor: 4, name: "metrics"),
            .init(descriptor: 5, name: ""),
        ])
        #expect(sockets.api == [3, 5])
        #expect(sockets.named == ["metrics": [4]])
    }

    @Test("a journal's priorities are those of syslog")
    func priorities() {
        #expect(JournalStream.prefix(.error) == Array("<3>".utf8))
        #expect(JournalStream.prefix(.debug) == Array("<7>".utf8))
    }

    @Test("what a killed process was writing is removed, and nothing else")
    func leftovers() throws {
        let folder = try TemporaryFolder()
        let names = ["a.json", "a.json.123.new", "new", "b.new", "b.x.new", ".12.new"]
        for name in names { try SafeFile.write([1], to: "\(folder.path)/\(name)") }
        try SafeFile.removeLeftovers(in: folder.path)
        let kept = try SafeFile.names(in: folder.path).filter { $0 != "." && $0 != ".." }
        #expect(kept.sorted() == [".12.new", "a.json", "b.new", "b.x.new", "new"])
    }
}
