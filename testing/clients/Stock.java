import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.HttpURLConnection;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.security.KeyStore;
import java.security.MessageDigest;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.util.HexFormat;
import javax.net.ssl.HttpsURLConnection;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** One stock client of Java, its defaults untouched, a request for each line; see stock.py. */
public class Stock {
    /** What a client brings home. */
    record Reply(int status, byte[] content, String connection) {}

    /** A client. */
    interface Fetch {
        Reply get(URI uri) throws Exception;
    }

    public static void main(String[] args) throws Exception {
        SSLContext trust = trusting(args[1]);
        Fetch fetch = args[0].equals("HttpClient") ? modern(trust) : classic(trust);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            long begun = System.nanoTime();
            Reply reply = new Reply(0, new byte[0], "-");
            String error = "-";
            try {
                reply = fetch.get(URI.create(line.trim()));
            } catch (Exception failure) {
                error = failure.toString().replaceAll("\\s+", " ");
            }
            long took = (System.nanoTime() - begun) / 1_000_000;
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(reply.content);
            System.out.println(
                    String.join(
                            "\t",
                            Long.toString(took),
                            Integer.toString(reply.status),
                            Integer.toString(reply.content.length),
                            HexFormat.of().formatHex(digest),
                            reply.connection,
                            error));
            System.out.flush();
        }
        System.exit(0);
    }

    private static Fetch modern(SSLContext trust) {
        HttpClient client = HttpClient.newBuilder().sslContext(trust).build();
        return uri -> {
            HttpResponse<byte[]> reply =
                    client.send(HttpRequest.newBuilder(uri).build(), HttpResponse.BodyHandlers.ofByteArray());
            String connection = reply.headers().firstValue("X-Repono-Connection").orElse("-");
            return new Reply(reply.statusCode(), reply.body(), connection);
        };
    }

    private static Fetch classic(SSLContext trust) {
        HttpsURLConnection.setDefaultSSLSocketFactory(trust.getSocketFactory());
        return uri -> {
            HttpURLConnection request = (HttpURLConnection) uri.toURL().openConnection();
            try (InputStream body = request.getInputStream()) {
                byte[] content = body.readAllBytes();
                String connection = request.getHeaderField("X-Repono-Connection");
                return new Reply(request.getResponseCode(), content, connection == null ? "-" : connection);
            }
        };
    }

    private static SSLContext trusting(String ca) throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        try (FileInputStream in = new FileInputStream(ca)) {
            int n = 0;
            for (Certificate certificate : CertificateFactory.getInstance("X.509").generateCertificates(in)) {
                store.setCertificateEntry("ca" + n++, certificate);
            }
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, trust.getTrustManagers(), null);
        return context;
    }
}
