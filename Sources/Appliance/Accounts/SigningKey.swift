import Crypto
import CryptoExtras
import Domain

/// The JOSE algorithms that an installation can sign with, one at a time (RFC 7518, RFC 8037).
package enum SigningAlgorithm: String, Sendable, CaseIterable {
    case edDSA = "EdDSA"
    case es256 = "ES256"
    case rs256 = "RS256"
    case hs256 = "HS256"
}

/// One signing key with its id.
package struct SigningKey: Sendable {
    private enum Material: Sendable {
        case ed25519(Curve25519.Signing.PrivateKey)
        case p256(P256.Signing.PrivateKey)
        case rsa(_RSA.Signing.PrivateKey)
        case hmac([UInt8])
    }

    package let id: String
    package let createdAt: Timestamp
    /// Since then it signs nothing new; what it signed before is still verified for a while.
    package var retiredAt: Timestamp?
    private let material: Material

    package init(_ algorithm: SigningAlgorithm, at now: Timestamp) throws(Problem) {
        var random = SystemRandomNumberGenerator()
        id = Base62.random(16, using: &random)
        createdAt = now
        switch algorithm {
        case .edDSA: material = .ed25519(Curve25519.Signing.PrivateKey())
        case .es256: material = .p256(P256.Signing.PrivateKey())
        case .rs256:
            do {
                material = .rsa(try _RSA.Signing.PrivateKey(keySize: .bits2048))
            } catch {
                throw .internal(cause: "no RSA key could be made: \(error)")
            }
        case .hs256:
            material = .hmac((0..<32).map { _ in UInt8.random(in: .min ... .max, using: &random) })
        }
    }

    package var algorithm: SigningAlgorithm {
        switch material {
        case .ed25519: .edDSA
        case .p256: .es256
        case .rsa: .rs256
        case .hmac: .hs256
        }
    }

    package func sign(_ message: [UInt8]) throws(Problem) -> [UInt8] {
        do {
            switch material {
            case .ed25519(let key): return Array(try key.signature(for: message))
            case .p256(let key): return Array(try key.signature(for: message).rawRepresentation)
            case .rsa(let key):
                return Array(
                    try key.signature(for: message, padding: .insecurePKCS1v1_5).rawRepresentation)
            case .hmac(let key):
                return Array(
                    HMAC<SHA256>.authenticationCode(for: message, using: SymmetricKey(data: key)))
            }
        } catch {
            throw .internal(cause: "signing failed: \(error)")
        }
    }

    /// False for a signature that is not this key's, or not a signature at all.
    package func verifies(_ signature: [UInt8], of message: [UInt8]) -> Bool {
        switch material {
        case .ed25519(let key): return key.publicKey.isValidSignature(signature, for: message)
        case .p256(let key):
            guard let parsed = try? P256.Signing.ECDSASignature(rawRepresentation: signature)
            else { return false }
            return key.publicKey.isValidSignature(parsed, for: message)
        case .rsa(let key):
            return key.publicKey.isValidSignature(
                _RSA.Signing.RSASignature(rawRepresentation: signature), for: message,
                padding: .insecurePKCS1v1_5)
        case .hmac(let key):
            return HMAC<SHA256>.isValidAuthenticationCode(
                signature, authenticating: message, using: SymmetricKey(data: key))
        }
    }

    /// The public half as a JWK (RFC 7517); nil for a shared secret, which has none.
    package var publicJWK: JSON? {
        let common: [JSON.Member] = [
            JSON.Member("kid", .string(id)), JSON.Member("use", .string("sig")),
            JSON.Member("alg", .string(algorithm.rawValue)),
        ]
        func text(_ name: String, _ bytes: some Sequence<UInt8>) -> JSON.Member {
            JSON.Member(name, .string(Base64URL.encode(bytes)))
        }
        switch material {
        case .ed25519(let key):
            return .object(
                [
                    JSON.Member("kty", .string("OKP")), JSON.Member("crv", .string("Ed25519")),
                    text("x", key.publicKey.rawRepresentation),
                ] + common)
        case .p256(let key):
            let point = key.publicKey.rawRepresentation
            return .object(
                [
                    JSON.Member("kty", .string("EC")), JSON.Member("crv", .string("P-256")),
                    text("x", point.prefix(32)), text("y", point.suffix(32)),
                ] + common)
        case .rsa(let key):
            guard let numbers = try? key.publicKey.getKeyPrimitives() else { return nil }
            return .object(
                [
                    JSON.Member("kty", .string("RSA")), text("n", numbers.modulus),
                    text("e", numbers.publicExponent),
                ] + common)
        case .hmac: return nil
        }
    }
}

extension SigningKey {
    /// For the key file, which only its owner can read.
    package var stored: JSON {
        let secret =
            switch material {
            case .ed25519(let key): Array(key.rawRepresentation)
            case .p256(let key): Array(key.rawRepresentation)
            case .rsa(let key): Array(key.derRepresentation)
            case .hmac(let key): key
            }
        return .object([
            JSON.Member("kid", .string(id)),
            JSON.Member("alg", .string(algorithm.rawValue)),
            JSON.Member("created_at", .string(createdAt.description)),
            JSON.Member("retired_at", .text(retiredAt?.description)),
            JSON.Member("secret", .string(Base64URL.encode(secret))),
        ])
    }

    /// Nil when the file's entry is not one of ours.
    package init?(stored: JSON) {
        guard case .string(let id)? = stored["kid"], case .string(let name)? = stored["alg"],
            let algorithm = SigningAlgorithm(rawValue: name),
            case .string(let created)? = stored["created_at"], let createdAt = Timestamp(created),
            case .string(let secret)? = stored["secret"],
            let bytes = Base64URL.decode(secret.utf8)
        else { return nil }
        self.id = id
        self.createdAt = createdAt
        if case .string(let text)? = stored["retired_at"] { retiredAt = Timestamp(text) }
        do {
            switch algorithm {
            case .edDSA: material = .ed25519(try .init(rawRepresentation: bytes))
            case .es256: material = .p256(try .init(rawRepresentation: bytes))
            case .rs256: material = .rsa(try .init(derRepresentation: bytes))
            case .hs256:
                guard bytes.count >= 32 else { return nil }
                material = .hmac(bytes)
            }
        } catch {
            return nil
        }
    }
}
