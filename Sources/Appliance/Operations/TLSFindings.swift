import Domain
import Glibc

/// What is wrong with the certificate and its key, for `gatehouse check` and for the first lines of
/// the log. Empty without TLS.
struct TLSFindings {
    private(set) var all: [(what: String, remedy: String)] = []

    /// ACME clients renew a month before the end: two weeks before it they have failed for two.
    private static let notice: Duration = .seconds(14 * 86_400)

    init(_ configuration: Configuration, at now: Timestamp) {
        guard let files = configuration.server.tls.files else { return }
        checkMode(files.key)
        let pair: TLSPair
        do throws(TLSPair.Failure) {
            pair = try TLSPair(certificate: files.certificate, key: files.key)
        } catch {
            all.append(
                (
                    "TLS cannot be served: \(error.reason)",
                    "Put the certificate and its key where server.tls says."
                ))
            return
        }
        checkTimes(pair, files.certificate, at: now)
        let host = CertificateName.host(of: configuration.publicURL)
        if !pair.names.contains(where: { $0.covers(host) }) {
            let names = pair.names.map(\.description).joined(separator: ", ")
            let covered = names.isEmpty ? "no name at all" : names
            all.append(
                (
                    "\(files.certificate) is for \(covered), not for \(host).",
                    "Set server.public_url to a name of the certificate, or have one made for it."
                ))
        }
    }

    private mutating func checkMode(_ key: String) {
        var about = stat()
        // Its group may read it: so Debian's ssl-cert and a Kubernetes fsGroup have it.
        guard stat(key, &about) == 0, about.st_mode & 0o007 != 0 else { return }
        all.append(("\(key) can be read by everybody.", "Run: chmod o= \(key)"))
    }

    private mutating func checkTimes(_ pair: TLSPair, _ path: String, at now: Timestamp) {
        if pair.endsAt <= now {
            all.append(("\(path) ended at \(pair.endsAt).", "Renew it; clients refuse it."))
        } else if pair.endsAt < now + Self.notice {
            all.append(
                ("\(path) ends at \(pair.endsAt).", "Renew it; no restart is needed."))
        } else if now < pair.beginsAt {
            all.append(
                ("\(path) begins only at \(pair.beginsAt).", "Check the machine's clock."))
        }
    }
}
