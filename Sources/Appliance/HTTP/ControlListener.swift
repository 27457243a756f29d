import Domain
import Glibc
import HTTPTypes
import Logging
import NIOCore
import ServiceLifecycle

/// What a shell on this machine may ask of the running daemon: HTTP on a Unix socket in the data
/// directory, which only the daemon's own user can open.
struct ControlListener: Service {
    let appliance: Appliance

    static func path(in directory: String) -> String { directory + "/control.sock" }

    func run() async throws {
        let path = Self.path(in: appliance.configuration.dataDirectory)
        // A daemon that was killed leaves it; the store's lock says there is no other one.
        unlink(path)
        let server = appliance.application(
            responder: appliance.front(appliance.controlRoutes), endpoint: .unixSocket(path: path),
            gatekeeping: nil, tls: nil
        ) { _ in chmod(path, 0o600) }
        // The directory is 0700 already; the mask closes the moment before chmod.
        try await server.run()
        unlink(path)
    }
}

extension Appliance {
    var controlRoutes: [Route] {
        shellRoutes + [
            Route(.post, "/control/admins", .open, .unlisted, isThrottled: false) {
                call throws(Problem) in
                var form = try await call.form()
                let email = form.email("email")
                let password = form.value("password") == nil ? nil : form.password("password")
                let address = try form.finish(email)
                let link = try await self.createAdmin(email: address, password: password)
                return .json(.created) { json in
                    json.object { json in
                        json.member("email", address.description)
                        json.member("link", link)
                    }
                }
            },
            Route(.post, "/control/keys/rotate", .open, .unlisted, isThrottled: false) {
                call throws(Problem) in
                try await self.keyRing.rotate(by: .shell, from: call.origin, at: call.now)
                return .noContent
            },
            Route(.post, "/control/backups", .open, .unlisted, isThrottled: false) {
                call throws(Problem) in
                let json = try await call.json()
                do throws(CommandRefusal) {
                    let made = try await self.backUp(BackupOrder(json), by: .shell, at: call.now)
                    return .json(.created) { $0.value(made.json) }
                } catch {
                    // What the command at the other end prints, and its exit code.
                    var problem = Problem(.conflict, error.line)
                    let code = Int64(error.code.rawValue)
                    problem.members = [JSON.Member("exit_code", .integer(code))]
                    throw problem
                }
            },
            // What the one that is running is at, for the command that waits for it.
            Route(.get, "/control/backups", .open, .unlisted, isThrottled: false) {
                _ throws(Problem) in
                .json { $0.value(self.backupRun.json) }
            },
        ]
    }
}
