import java.io.FileInputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/**
 * Fetches every file of a list by ticket and by pre-authorized URI with HttpClient, and compares the bytes.
 *
 * <p>Usage: java Fetch.java BASE CA HEADERS LIST; HEADERS holds "name: value" lines, LIST holds "url path TAB
 * local file" lines.
 */
public class Fetch {
    public static void main(String[] args) throws Exception {
        String base = args[0];
        HttpClient client =
                HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).sslContext(trusting(args[1])).build();
        List<String> ticket = Files.readAllLines(Path.of(args[2]));
        int count = 0;
        for (String line : Files.readAllLines(Path.of(args[3]))) {
            String[] fields = line.split("\t");
            byte[] expected = Files.readAllBytes(Path.of(fields[1]));
            HttpResponse<byte[]> byTicket = send(client, "GET", base + fields[0], ticket);
            check(byTicket, expected, fields[0]);
            HttpResponse<byte[]> head = send(client, "HEAD", base + fields[0], ticket);
            String uri = head.headers().firstValue("X-Preauth-Uri").orElseThrow();
            check(send(client, "GET", base + uri, List.of()), expected, fields[0]);
            count++;
        }
        System.out.println(count + " identical");
    }

    private static HttpResponse<byte[]> send(HttpClient client, String method, String uri, List<String> headers)
            throws Exception {
        HttpRequest.Builder request =
                HttpRequest.newBuilder(URI.create(uri))
                        .method(method, HttpRequest.BodyPublishers.noBody())
                        .timeout(Duration.ofSeconds(30));
        for (String header : headers) {
            String[] parts = header.split(": ", 2);
            if (parts.length == 2) {
                request.header(parts[0], parts[1]);
            }
        }
        return client.send(request.build(), HttpResponse.BodyHandlers.ofByteArray());
    }

    private static void check(HttpResponse<byte[]> response, byte[] expected, String path) {
        if (response.statusCode() != 200 || !Arrays.equals(response.body(), expected)) {
            throw new IllegalStateException(path + " differs, status " + response.statusCode());
        }
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
