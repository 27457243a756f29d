import NIOSSL

/// Certificate authorities that cannot be used, as a reader of the configuration is told it.
struct UnusableAuthorities: Error {
    let reason: String
}

extension NIOSSLContext {
    /// For connections that we begin: TLS 1.2 or later, with the server's certificate checked
    /// against its name.
    ///
    /// - Parameters:
    ///   - section: of the configuration, for who has to change it.
    ///   - caFile: certificate authorities in place of the system's.
    static func client(
        _ section: String, caFile: String?
    ) throws(UnusableAuthorities) -> NIOSSLContext {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        tls.certificateVerification = .fullVerification
        do {
            if let caFile {
                tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(caFile))
            }
            return try NIOSSLContext(configuration: tls)
        } catch {
            let path = caFile ?? "the system's certificates"
            throw UnusableAuthorities(reason: "\(section).ca_file: cannot use \(path): \(error)")
        }
    }
}
