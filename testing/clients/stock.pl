# Perl's LWP with its connection cache, a request for each line; see stock.py.
# usage: stock.pl CA
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use LWP::UserAgent;
use Time::HiRes qw(time);

$| = 1;
my $agent = LWP::UserAgent->new(keep_alive => 1, ssl_opts => { SSL_ca_file => $ARGV[0] });
while (my $url = <STDIN>) {
    $url =~ s/\s+$//;
    my $begun   = time;
    my $reply   = $agent->get($url);
    my $took    = int((time - $begun) * 1000);
    my $content = $reply->content;
    my ($status, $error) = ($reply->code, '-');
    # LWP makes a reply of its own where it has none, and says so in this header.
    my $own = ($reply->header('Client-Warning') // '') eq 'Internal response';
    my $cut = $reply->header('X-Died') // $reply->header('Client-Aborted');
    ($status, $error) = (0, $reply->message) if $own;
    $error = $cut if defined $cut;
    $error =~ s/\s+/ /g;
    my $connection = $reply->header('X-Repono-Connection') // '-';
    print join("\t", $took, $status, length $content, sha256_hex($content), $connection, $error), "\n";
}
