import Domain
import NIOSSL

/// A certificate and its key, found to belong together.
struct TLSPair: Sendable {
    /// A line that names the file and what is wrong with it.
    struct Failure: Error, Equatable {
        let reason: String
    }

    /// What connections are made with.
    let context: NIOSSLContext
    let beginsAt: Timestamp
    let endsAt: Timestamp
    let names: [CertificateName]

    /// A chain is some 5 KB.
    private static let fileBytesMax = 1 << 20

    /// For TLS 1.2: a fresh key for each connection and authenticated encryption (RFC 9325, 4.2).
    /// The three of TLS 1.3 are BoringSSL's and always there.
    private static let ciphers: [NIOTLSCipher] = [
        .TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, .TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        .TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, .TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        .TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        .TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ]

    /// - Parameters:
    ///   - certificate: path of a PEM file, the server's certificate first, then its intermediates.
    ///   - key: path of a PEM file without a passphrase.
    init(certificate: String, key: String) throws(Failure) {
        let chain = try Self.chain(in: certificate)
        guard let leaf = chain.first else {
            throw Failure(reason: "\(certificate): there is no PEM certificate in it")
        }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) },
            privateKey: .privateKey(try Self.privateKey(in: key)))
        configuration.minimumTLSVersion = .tlsv12
        configuration.cipherSuiteValues = Self.ciphers
        configuration.applicationProtocols = ["http/1.1"]
        // How long a close waits for the client's own, which most never send: a stop and a refused
        // connection's place wait with it.
        configuration.shutdownTimeout = .seconds(1)
        do {
            context = try NIOSSLContext(configuration: configuration)
        } catch NIOSSLError.failedToLoadPrivateKey {
            // It was read; beside the certificate it is refused.
            throw Failure(reason: "\(key): this key does not belong to \(certificate)")
        } catch {
            throw Failure(reason: "\(certificate): TLS does not take it: \(error)")
        }
        beginsAt = Timestamp(milliseconds: Int64(leaf.notValidBefore) * 1000)
        endsAt = Timestamp(milliseconds: Int64(leaf.notValidAfter) * 1000)
        names = leaf.names
    }

    private static func chain(in path: String) throws(Failure) -> [NIOSSLCertificate] {
        let text = try read(path)
        do {
            return try NIOSSLCertificate.fromPEMBytes(text)
        } catch {
            throw Failure(reason: "\(path): not a PEM certificate")
        }
    }

    private static func privateKey(in path: String) throws(Failure) -> NIOSSLPrivateKey {
        let text = try read(path)
        // PKCS #8 says so in its first line, the older form in a header under it.
        let marks = ["BEGIN ENCRYPTED PRIVATE KEY", "Proc-Type: 4,ENCRYPTED"]
        let words = String(decoding: text, as: UTF8.self)
        guard !marks.contains(where: words.contains) else {
            throw Failure(
                reason: "\(path): the key has a passphrase, which nobody could type at a start; "
                    + "store it without one (openssl pkey)")
        }
        do {
            return try NIOSSLPrivateKey(bytes: text, format: .pem)
        } catch {
            throw Failure(reason: "\(path): not a PEM private key")
        }
    }

    private static func read(_ path: String) throws(Failure) -> [UInt8] {
        let text: [UInt8]
        do throws(SafeFile.Failure) {
            text = try SafeFile.read(path, bytesMax: fileBytesMax)
        } catch {
            throw Failure(reason: error.reason)
        }
        // NIOSSL takes the address of the first byte.
        guard !text.isEmpty else { throw Failure(reason: "\(path): the file is empty") }
        return text
    }
}
